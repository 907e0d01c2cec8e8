// OpenAI's Node SDK against the gateway: only the base URL is changed.
import assert from "node:assert/strict";
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";
import { GATEWAY, check, fault, main, rejects } from "./harness.mjs";

const MODEL = "huggingface/groq/meta-llama/Llama-3.1-8B-Instruct";
const EVERYWHERE = ["hf-inference", "cerebras", "cohere", "fireworks-ai", "groq", "novita", "scaleway", "together", "zai-org"];
const HELLO = [{ role: "user", content: "Say hello." }];
// The sandbox calls a tool when it is told to, and two when it is told to do so in parallel.
const CALL = [{ role: "user", content: "Please call for the weather." }];
const CALL_TWO = [{ role: "user", content: "Please call for weather and time in parallel." }];
const tool = (name, member) => ({
  type: "function",
  function: { name, parameters: { type: "object", properties: { [member]: { type: "string" } }, required: [member] } },
});
const WEATHER = tool("get_weather", "city");
const TIME = tool("get_time", "zone");
const PIXEL =
  "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII=";

const client = new OpenAI({ baseURL: `${GATEWAY}/v1`, apiKey: "anything", maxRetries: 0, timeout: 20_000 });
const ask = (more = {}) => client.chat.completions.create({ model: MODEL, messages: HELLO, ...more });

check("a chat answers as the schema promises", async () => {
  const reply = await ask();
  assert.equal(reply.object, "chat.completion");
  assert.ok(reply.id && reply.created && reply.model);
  assert.equal(reply.choices[0].finish_reason, "stop");
  assert.equal(reply.choices[0].message.role, "assistant");
  assert.ok(reply.choices[0].message.content);
  assert.equal(reply.usage.total_tokens, reply.usage.prompt_tokens + reply.usage.completion_tokens);
});

check("a stream says what the plain answer says, at many backends", async () => {
  for (const backend of EVERYWHERE) {
    const model = `huggingface/${backend}/sandbox/everywhere`;
    const plain = await ask({ model });
    let text = "";
    for await (const chunk of await ask({ model, stream: true })) text += chunk.choices[0]?.delta?.content ?? "";
    assert.equal(text, plain.choices[0].message.content, backend);
  }
});

check("the stream helper builds the plain answer, with usage when asked for", async () => {
  const stream = client.chat.completions.stream({ model: MODEL, messages: HELLO, stream_options: { include_usage: true } });
  const final = await stream.finalChatCompletion();
  const plain = await ask();
  assert.equal(final.choices[0].message.content, plain.choices[0].message.content);
  assert.deepEqual((await stream.totalUsage()).total_tokens, plain.usage.total_tokens);
});

check("usage is not in a stream that did not ask for it", async () => {
  for await (const chunk of await ask({ stream: true })) assert.equal(chunk.usage ?? null, null);
});

check("a tool is called, and its result is answered", async () => {
  const first = await ask({ tools: [WEATHER], tool_choice: "required" });
  const { message, finish_reason } = first.choices[0];
  assert.equal(finish_reason, "tool_calls");
  assert.equal(message.tool_calls[0].function.name, "get_weather");
  JSON.parse(message.tool_calls[0].function.arguments);
  const second = await ask({
    tools: [WEATHER],
    messages: [...HELLO, message, { role: "tool", tool_call_id: message.tool_calls[0].id, content: "{}" }],
  });
  assert.ok(second.choices[0].message.content);
});

check("the tool runner of the SDK goes round by itself", async () => {
  let asked = 0;
  const runner = client.chat.completions.runTools({
    model: MODEL,
    messages: CALL,
    tools: [
      {
        type: "function",
        function: {
          name: "get_weather",
          description: "The weather",
          parameters: WEATHER.function.parameters,
          parse: JSON.parse,
          function: () => {
            asked += 1;
            return "21 degrees";
          },
        },
      },
    ],
  });
  assert.ok(await runner.finalContent());
  assert.equal(asked, 1);
});

check("parallel tool calls arrive whole and streamed alike", async () => {
  const more = { messages: CALL_TWO, tools: [WEATHER, TIME], parallel_tool_calls: true, tool_choice: "required" };
  const shown = (completion) => completion.choices[0].message.tool_calls.map((c) => [c.function.name, JSON.parse(c.function.arguments)]);
  const streamed = await client.chat.completions.stream({ model: MODEL, ...more }).finalChatCompletion();
  assert.deepEqual(shown(streamed), shown(await ask(more)));
  assert.equal(shown(streamed).length, 2);
});

check("structured output is parsed at every dialect of JSON schema", async () => {
  const City = z.object({ name: z.string(), people: z.number().int(), capital: z.boolean() });
  for (const backend of EVERYWHERE) {
    const reply = await client.chat.completions.parse({
      model: `huggingface/${backend}/sandbox/everywhere`,
      messages: HELLO,
      response_format: zodResponseFormat(City, "city"),
    });
    City.parse(reply.choices[0].message.parsed);
  }
});

check("pictures are passed on", async () => {
  const content = [
    { type: "text", text: "What is this?" },
    { type: "image_url", image_url: { url: PIXEL } },
  ];
  const reply = await ask({ model: "huggingface/together/sandbox/everywhere", messages: [{ role: "user", content }] });
  assert.ok(reply.choices[0].message.content);
});

check("models are listed and found one by one", async () => {
  const ids = [];
  for await (const model of client.models.list()) ids.push(model.id);
  assert.ok(ids.includes(MODEL), ids.slice(0, 20).join());
  assert.equal((await client.models.retrieve(MODEL)).id, MODEL);
});

check("the request id is where the SDK looks for it", async () => {
  const { response, request_id } = await ask().withResponse();
  assert.ok(request_id && response.headers.get("x-request-id") === request_id);
});

check("mistakes of the caller have the SDK's classes", async () => {
  const bad = await rejects(OpenAI.BadRequestError, () => client.post("/chat/completions", { body: { model: MODEL } }));
  assert.deepEqual([bad.type, bad.param], ["invalid_request_error", "messages"]);
  await rejects(OpenAI.NotFoundError, () => client.post("/nothing/here", { body: {} }));
  const unknown = await rejects(OpenAI.NotFoundError, () => ask({ model: "huggingface/auto/nobody/has-this" }));
  assert.ok(unknown.requestID);
});

const STATUSES = [
  [401, OpenAI.AuthenticationError],
  [402, OpenAI.APIError],
  [403, OpenAI.PermissionDeniedError],
  [413, OpenAI.APIError],
  [422, OpenAI.UnprocessableEntityError],
  [429, OpenAI.RateLimitError],
  [500, OpenAI.InternalServerError],
  [503, OpenAI.InternalServerError],
];

check("a backend's errors come out as the SDK's classes", async () => {
  for (const [status, expected] of STATUSES) {
    await fault({ kind: "status", status });
    const error = await rejects(expected, () => ask());
    assert.equal(error.status, status);
    assert.ok(error.type && error.message && error.requestID, `${status}`);
  }
});

check("a stream that breaks ends with an error", async () => {
  for (const kind of ["truncate", "cut", "reset", "stream_error"]) {
    await fault({ kind, after: 2 });
    await assert.rejects(async () => {
      for await (const _chunk of await ask({ stream: true }));
    }, `${kind}: the stream ended as if it were whole`);
  }
});

check("a caller who leaves can come back at once", async () => {
  for (let n = 0; n < 20; n += 1) {
    const stream = await ask({ stream: true });
    for await (const _chunk of stream) break;
    stream.controller.abort();
  }
  assert.ok((await ask()).choices[0].message.content);
});

await main();
