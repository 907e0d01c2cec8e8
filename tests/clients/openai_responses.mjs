// OpenAI's Node SDK against the gateway's Responses: only the base URL is changed.
import assert from "node:assert/strict";
import OpenAI from "openai";
import { zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";
import { GATEWAY, check, fault, main, rejects } from "./harness.mjs";

const MODEL = "huggingface/groq/meta-llama/Llama-3.1-8B-Instruct";
const ANYWHERE = "huggingface/together/sandbox/everywhere";
const HELLO = "Say hello.";
// The sandbox calls a tool when it is told to, and two when it is told to do so in parallel.
const CALL_TWO = "Please call for weather and time in parallel.";
const tool = (name, member) => ({
  type: "function",
  name,
  strict: true,
  parameters: { type: "object", properties: { [member]: { type: "string" } }, required: [member], additionalProperties: false },
});
const TOOLS = [tool("get_weather", "city"), tool("get_time", "zone")];

const client = new OpenAI({ baseURL: `${GATEWAY}/v1`, apiKey: "anything", maxRetries: 0, timeout: 20_000 });
const call = (more = {}) => ({ model: MODEL, input: HELLO, store: false, ...more });
const ask = (more) => client.responses.create(call(more));

check("a response answers, and its stream says the same", async () => {
  const plain = await ask();
  assert.equal(plain.object, "response");
  assert.equal(plain.status, "completed");
  assert.ok(plain.output_text);
  const stream = client.responses.stream(call());
  let text = "";
  let number = 0;
  for await (const event of stream) {
    assert.equal(event.sequence_number, number++);
    if (event.type === "response.output_text.delta") text += event.delta;
  }
  const final = await stream.finalResponse();
  assert.equal(text, plain.output_text);
  assert.equal(final.output_text, plain.output_text);
  assert.deepEqual(final.usage, plain.usage);
});

check("tools are called in parallel, and their results are answered", async () => {
  const more = { input: CALL_TWO, tools: TOOLS, tool_choice: "required" };
  const final = await client.responses.stream(call(more)).finalResponse();
  const calls = final.output.filter((item) => item.type === "function_call");
  assert.equal(calls.length, 2);
  const results = calls.map((made) => ({ type: "function_call_output", call_id: made.call_id, output: "{}" }));
  const input = [{ role: "user", content: CALL_TWO }, ...final.output, ...results];
  assert.ok((await ask({ input, tools: TOOLS })).output_text);
});

check("structured output is parsed", async () => {
  const City = z.object({ name: z.string(), people: z.number().int(), capital: z.boolean() });
  const reply = await client.responses.parse(
    call({ model: ANYWHERE, input: "A city.", text: { format: zodTextFormat(City, "city") } }),
  );
  assert.ok(City.safeParse(reply.output_parsed).success);
});

check("reasoning is shown and comes back", async () => {
  const more = { model: ANYWHERE, reasoning: { effort: "low", summary: "auto" }, include: ["reasoning.encrypted_content"] };
  const first = await ask(more);
  assert.equal(first.output[0].type, "reasoning");
  assert.ok(first.output[0].encrypted_content && first.output[0].summary[0].text);
  const input = [{ role: "user", content: HELLO }, ...first.output, { role: "user", content: "And?" }];
  assert.ok((await ask({ ...more, input })).output_text);
});

check("a mistake and a backend's fault are errors of the SDK's classes", async () => {
  const error = await rejects(OpenAI.BadRequestError, () => ask({ input: [{ type: "computer_call", id: "c" }] }));
  assert.equal(error.param, "input[0]");
  await fault({ kind: "status", status: 429 });
  await rejects(OpenAI.RateLimitError, () => ask());
});

check("a stream that breaks raises", async () => {
  await fault({ kind: "truncate", after: 2 });
  await assert.rejects(async () => {
    for await (const _event of await ask({ stream: true }));
  }, OpenAI.APIError);
});

await main();
