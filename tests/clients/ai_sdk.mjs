// Vercel's AI SDK against the gateway, by the providers for OpenAI (chat and Responses), Anthropic and any OpenAI-compatible server.
import assert from "node:assert/strict";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, embedMany, generateText, Output, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";
import { asked, check, fault, GATEWAY, main } from "./harness.mjs";

const NAME = "huggingface/groq/meta-llama/Llama-3.1-8B-Instruct";
const ANYWHERE = "huggingface/together/sandbox/everywhere";
const HELLO = "Say hello.";
// The sandbox calls a tool when it is told to, and two when it is told to do so in parallel.
const CALL = "Please call for the weather.";
const CALL_TWO = "Please call for weather and time in parallel.";

const openai = createOpenAI({ baseURL: `${GATEWAY}/v1`, apiKey: "anything" });
const anthropic = createAnthropic({ baseURL: `${GATEWAY}/anthropic/v1`, apiKey: "anything" });
const compatible = createOpenAICompatible({
  name: "ironbow",
  baseURL: `${GATEWAY}/v1`,
  apiKey: "anything",
  includeUsage: true,
  supportsStructuredOutputs: true,
});
const MODELS = {
  "openai, chat": (name = NAME) => openai.chat(name),
  "openai, Responses": (name = NAME) => openai.responses(name),
  anthropic: (name = NAME) => anthropic(name),
  "openai-compatible": (name = NAME) => compatible.chatModel(name),
};
const each = async (run) => {
  for (const [name, make] of Object.entries(MODELS)) await run(name, make);
};

const seen = [];
const tools = {
  get_weather: tool({
    description: "The weather in a city",
    inputSchema: z.object({ city: z.string() }),
    execute: async ({ city }) => {
      seen.push(["get_weather", city]);
      return `21 degrees in ${city}`;
    },
  }),
  get_time: tool({
    description: "The time in a zone",
    inputSchema: z.object({ zone: z.string() }),
    execute: async ({ zone }) => {
      seen.push(["get_time", zone]);
      return { clock: "noon" };
    },
  }),
};

/** A stream read to its end, as the AI SDK puts it together. */
async function streamed(options) {
  const result = streamText({ maxRetries: 0, onError: () => {}, ...options });
  for await (const part of result.fullStream) if (part.type === "error") throw part.error;
  return {
    text: await result.text,
    reasoningText: await result.reasoningText,
    finishReason: await result.finishReason,
    usage: await result.usage,
    steps: await result.steps,
    toolCalls: await result.toolCalls,
    response: await result.response,
  };
}

const plain = (options) => generateText({ maxRetries: 0, ...options });
const called = (result) => result.toolCalls.map((call) => [call.toolName, call.input]);

check("a stream is put together into the plain answer", () =>
  each(async (name, make) => {
    const one = await plain({ model: make(), prompt: HELLO, system: "Be brief." });
    const two = await streamed({ model: make(), prompt: HELLO, system: "Be brief." });
    assert.match(one.text, /Say hello\./, name);
    assert.deepEqual([two.text, two.finishReason], [one.text, one.finishReason], name);
    assert.equal(one.finishReason, "stop", name);
    assert.ok(one.usage.inputTokens > 0 && one.usage.outputTokens > 0, name);
    assert.deepEqual([two.usage.inputTokens, two.usage.outputTokens], [one.usage.inputTokens, one.usage.outputTokens], name);
  }),
);

check("a tool is called, run, and its result is answered in a second step", () =>
  each(async (name, make) => {
    for (const [prompt, names] of [[CALL, ["get_weather"]], [CALL_TWO, ["get_weather", "get_time"]]]) {
      const options = { tools, prompt, stopWhen: stepCountIs(3) };
      seen.length = 0;
      const one = await plain({ model: make(), ...options });
      const two = await streamed({ model: make(), ...options });
      assert.deepEqual(seen.slice(0, names.length).map(([tool]) => tool), names, name);
      assert.deepEqual(seen.slice(names.length), seen.slice(0, names.length), name);
      assert.deepEqual(called(two.steps[0]), called(one.steps[0]), name);
      assert.deepEqual([one.steps.length, two.steps.length], [2, 2], name);
      assert.match(one.text, /tool said/, name);
      assert.equal(two.text, one.text, name);
    }
  }),
);

check("the choice of tools is passed on", () =>
  each(async (name, make) => {
    const only = { type: "tool", toolName: "get_time" };
    const one = await plain({ model: make(), tools, prompt: HELLO, toolChoice: only });
    assert.deepEqual(called(one).map(([tool]) => tool), ["get_time"], name);
    const none = await plain({ model: make(), tools, prompt: CALL, toolChoice: "none" });
    assert.deepEqual(called(none), [], name);
  }),
);

check("structured output comes as the object, whole and in parts", () =>
  each(async (name, make) => {
    const output = Output.object({ schema: z.object({ name: z.string(), people: z.number().int() }) });
    const one = (await plain({ model: make(), prompt: "A city.", output })).output;
    assert.deepEqual(Object.keys(one), ["name", "people"], name);
    const result = streamText({ model: make(), prompt: "A city.", output, maxRetries: 0 });
    let last;
    for await (const part of result.partialOutputStream) last = part;
    assert.deepEqual(last, one, name);
  }),
);

check("what was thought is told, and goes back with the conversation", () =>
  each(async (name, make) => {
    const providerOptions = {
      openai: { reasoningEffort: "low", reasoningSummary: "auto", store: false, include: ["reasoning.encrypted_content"], forceReasoning: true },
      anthropic: { thinking: { type: "enabled", budgetTokens: 2048 } },
      ironbow: { reasoningEffort: "low" },
    };
    const options = { model: make(), providerOptions, maxOutputTokens: 4000 };
    const one = await plain({ ...options, prompt: HELLO });
    const two = await streamed({ ...options, prompt: HELLO });
    if (name === "openai, chat") return; // OpenAI's chat does not tell thoughts, so this provider does not read them
    assert.ok(one.reasoningText, name);
    assert.equal(two.reasoningText, one.reasoningText, name);
    for (const { response } of [one, two]) {
      const messages = [{ role: "user", content: HELLO }, ...response.messages, { role: "user", content: "Are you sure?" }];
      await plain({ ...options, messages });
      const sent = (await asked("chat")).at(-1).body;
      assert.ok(sent.includes(one.reasoningText), `${name}: ${sent}`);
    }
  }),
);

check("pictures are passed on", () =>
  each(async (name, make) => {
    const image = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII=";
    const content = [
      { type: "text", text: "What is this?" },
      { type: "file", mediaType: "image/png", data: image },
    ];
    const one = await plain({ model: make(ANYWHERE), messages: [{ role: "user", content }] });
    assert.match(one.text, /\[image image\/png /, name);
  }),
);

check("texts become vectors, and legacy completions answer", async () => {
  const id = "huggingface/hf-inference/BAAI/bge-small-en-v1.5";
  for (const model of [openai.embedding(id), compatible.embeddingModel(id)]) {
    const { embeddings } = await embedMany({ model, values: ["one", "two"], maxRetries: 0 });
    assert.deepEqual(embeddings.map((vector) => vector.length), [384, 384]);
  }
  for (const model of [openai.completion(NAME), compatible.completionModel(NAME)]) {
    const one = await plain({ model, prompt: HELLO });
    assert.match(one.text, /Say hello\./);
    assert.equal((await streamed({ model, prompt: HELLO })).text, one.text);
  }
});

check("a backend's errors come out with their status, and tell whether to try again", () =>
  each(async (name, make) => {
    for (const [status, again] of [[400, false], [401, false], [429, true], [500, true]]) {
      await fault({ kind: "status", status });
      const error = await plain({ model: make(), prompt: HELLO }).then(() => undefined, (error) => error);
      assert.ok(APICallError.isInstance(error), `${name}, ${status}: ${error}`);
      assert.deepEqual([error.statusCode, error.isRetryable], [status, again], name);
      assert.ok(error.message && error.message !== "Bad Request", `${name}: ${error.message}`);
      // What was wrong with one call is not wrong with the next.
      assert.match((await plain({ model: make(), prompt: HELLO })).text, /Say hello\./, name);
    }
    const error = await plain({ model: make("huggingface/auto/nobody/has-this"), prompt: HELLO }).catch((error) => error);
    assert.equal(error.statusCode, 404, name);
  }),
);

check("a stream that breaks is an error and no answer", () =>
  each(async (name, make) => {
    for (const kind of ["truncate", "cut", "stream_error"]) {
      await fault({ kind, after: 2 });
      await assert.rejects(streamed({ model: make(), prompt: HELLO }), undefined, `${name}, ${kind}`);
    }
  }),
);

await main();
