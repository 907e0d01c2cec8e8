// LangChain's `ChatOpenAI` for JavaScript against the gateway, by chat and by Responses. Only the base URL is changed.
import assert from "node:assert/strict";
import { HumanMessage } from "@langchain/core/messages";
import { concat } from "@langchain/core/utils/stream";
import { tool } from "@langchain/core/tools";
import { AzureChatOpenAI, ChatOpenAI, OpenAIEmbeddings } from "@langchain/openai";
import { z } from "zod";
import { asked, check, fault, GATEWAY, main } from "./harness.mjs";

const NAME = "huggingface/groq/meta-llama/Llama-3.1-8B-Instruct";
const HELLO = "Say hello.";
// The sandbox calls a tool when it is told to, and two when it is told to do so in parallel.
const CALL = "Please call for the weather.";
const CALL_TWO = "Please call for weather and time in parallel.";

const model = (more = {}) =>
  new ChatOpenAI({ model: NAME, apiKey: "anything", maxRetries: 0, configuration: { baseURL: `${GATEWAY}/v1` }, ...more });
const MODELS = { chat: model, Responses: (more) => model({ useResponsesApi: true, ...more }) };
const each = async (run) => {
  for (const [name, make] of Object.entries(MODELS)) await run(name, make);
};

const weather = tool(async ({ city }) => `21 degrees in ${city}`, {
  name: "get_weather",
  description: "The weather in a city",
  schema: z.object({ city: z.string() }),
});
const time = tool(async ({ zone }) => `noon in ${zone}`, {
  name: "get_time",
  description: "The time in a zone",
  schema: z.object({ zone: z.string() }),
});

/** A stream added up by LangChain itself. */
async function addedUp(stream) {
  let whole;
  for await (const chunk of await stream) whole = whole === undefined ? chunk : concat(whole, chunk);
  return whole;
}

const called = (message) => message.tool_calls.map((call) => [call.name, call.args]);

check("a stream adds up to the plain answer", () =>
  each(async (name, make) => {
    const plain = await make().invoke(HELLO);
    const whole = await addedUp(make().stream(HELLO));
    assert.match(plain.text, /Say hello\./, name);
    assert.equal(whole.text, plain.text, name);
    assert.ok(plain.usage_metadata.input_tokens > 0, name);
    assert.equal(whole.usage_metadata.output_tokens, plain.usage_metadata.output_tokens, name);
  }),
);

check("tools are called alike, and their results are answered", () =>
  each(async (name, make) => {
    for (const [prompt, names] of [[CALL, ["get_weather"]], [CALL_TWO, ["get_weather", "get_time"]]]) {
      const bound = make().bindTools([weather, time]);
      const human = new HumanMessage(prompt);
      const plain = await bound.invoke([human]);
      const whole = await addedUp(bound.stream([human]));
      assert.deepEqual(called(plain).map(([tool]) => tool), names, name);
      assert.deepEqual(called(whole), called(plain), name);
      for (const message of [plain, whole]) {
        const results = [];
        for (const call of message.tool_calls) results.push(await (call.name === "get_time" ? time : weather).invoke(call));
        assert.match((await bound.invoke([human, message, ...results])).text, /tool said/, name);
      }
    }
  }),
);

check("structured output comes as the object that was asked for", () =>
  each(async (name, make) => {
    const schema = z.object({ name: z.string(), people: z.number().int() });
    for (const method of ["jsonSchema", "functionCalling"]) {
      const city = await make().withStructuredOutput(schema, { method, name: "city" }).invoke("A city.");
      assert.deepEqual(Object.keys(city), ["name", "people"], `${name}, ${method}`);
    }
  }),
);

check("what was thought is kept in the conversation", async () => {
  // LangChain's own `reasoning` goes to models with OpenAI's names only.
  const thinking = MODELS.Responses({ modelKwargs: { reasoning: { effort: "low", summary: "auto" } }, zdrEnabled: true });
  const sealed = { include: ["reasoning.encrypted_content"] };
  for (const message of [await thinking.invoke(HELLO, sealed), await addedUp(thinking.stream(HELLO, sealed))]) {
    await thinking.invoke([new HumanMessage(HELLO), message, new HumanMessage("Are you sure?")]);
    const sent = (await asked("chat")).at(-1).body;
    assert.match(sent, /thinking about: Say hello\./, sent);
  }
});

check("Azure's form names the model in the path, and texts become vectors", async () => {
  const azure = new AzureChatOpenAI({
    azureOpenAIEndpoint: GATEWAY,
    azureOpenAIApiKey: "anything",
    azureOpenAIApiDeploymentName: NAME,
    azureOpenAIApiVersion: "2025-04-01-preview",
    maxRetries: 0,
  });
  const plain = await azure.invoke(HELLO);
  assert.match(plain.text, /Say hello\./);
  assert.equal((await addedUp(azure.stream(HELLO))).text, plain.text);
  const embeddings = new OpenAIEmbeddings({
    model: "huggingface/hf-inference/BAAI/bge-small-en-v1.5",
    apiKey: "anything",
    configuration: { baseURL: `${GATEWAY}/langchain` },
  });
  assert.deepEqual((await embeddings.embedDocuments(["one", "two"])).map((vector) => vector.length), [384, 384]);
});

check("errors tell their status", () =>
  each(async (name, make) => {
    for (const status of [400, 401, 429, 500]) {
      await fault({ kind: "status", status });
      const error = await make().invoke(HELLO).then(() => undefined, (error) => error);
      assert.equal(error?.status, status, `${name}: ${error}`);
    }
    const error = await make({ model: "huggingface/auto/nobody/has-this" }).invoke(HELLO).catch((error) => error);
    assert.equal(error.status, 404, name);
  }),
);

check("a stream that breaks is an error and no answer", () =>
  each(async (name, make) => {
    for (const kind of ["truncate", "cut", "stream_error"]) {
      await fault({ kind, after: 2 });
      await assert.rejects(addedUp(make().stream(HELLO)), undefined, `${name}, ${kind}`);
    }
  }),
);

await main();
