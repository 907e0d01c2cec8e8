// OpenAI's Node SDK against what the gateway keeps: only the base URL is changed.
import assert from "node:assert/strict";
import { setTimeout as wait } from "node:timers/promises";
import OpenAI from "openai";
import { GATEWAY, check, fault, main, rejects } from "./harness.mjs";

const MODEL = "huggingface/groq/meta-llama/Llama-3.1-8B-Instruct";
const client = new OpenAI({ baseURL: `${GATEWAY}/v1`, apiKey: "anything", maxRetries: 0, timeout: 20_000 });
const stranger = new OpenAI({ baseURL: `${GATEWAY}/v1`, apiKey: "somebody-else", maxRetries: 0, timeout: 20_000 });
const ask = (more = {}) => client.responses.create({ model: MODEL, input: "Say hello.", ...more });

/** The items of all pages. */
async function all(pages) {
  const items = [];
  for await (const item of pages) items.push(item);
  return items;
}

check("a response is kept, continued, listed and deleted", async () => {
  const first = await ask({ input: "My name is Ada." });
  assert.equal(first.store, true);
  assert.equal((await client.responses.retrieve(first.id)).output_text, first.output_text);
  const second = await ask({ input: "What is it?", previous_response_id: first.id });
  const items = await all(client.responses.inputItems.list(second.id, { order: "asc", limit: 2 }));
  assert.deepEqual(items.map((item) => item.content[0].text), ["My name is Ada.", first.output_text, "What is it?"]);
  await rejects(OpenAI.NotFoundError, () => stranger.responses.retrieve(first.id));
  await client.responses.delete(first.id);
  await rejects(OpenAI.NotFoundError, () => client.responses.retrieve(first.id));
});

check("a conversation remembers", async () => {
  const talk = await client.conversations.create({ metadata: { topic: "x" } });
  await ask({ input: "One.", conversation: talk.id });
  await client.responses.stream({ model: MODEL, input: "Two.", conversation: talk.id }).finalResponse();
  const items = await all(client.conversations.items.list(talk.id, { order: "asc" }));
  assert.deepEqual(items.map((item) => item.role), ["user", "assistant", "user", "assistant"]);
  await rejects(OpenAI.NotFoundError, () => stranger.conversations.retrieve(talk.id));
  assert.equal((await client.conversations.delete(talk.id)).deleted, true);
});

check("a response in the background is fetched when it is done, or cancelled", async () => {
  let reply = await ask({ background: true });
  for (let n = 0; n < 400 && ["queued", "in_progress"].includes(reply.status); n += 1) {
    await wait(50);
    reply = await client.responses.retrieve(reply.id);
  }
  assert.equal(reply.status, "completed");
  await fault({ kind: "stall", before_head: true });
  const stuck = await ask({ background: true });
  assert.equal((await client.responses.cancel(stuck.id)).status, "cancelled");
});

check("a stream in the background is taken up again, and its accumulator gives the kept response", async () => {
  await fault({ kind: "slow", bytes: 60, gap_ms: 10 });
  let id;
  let last;
  for await (const event of await ask({ input: "one two three four", background: true, stream: true })) {
    if (event.type === "response.created") id = event.response.id;
    last = event.sequence_number;
    if (last === 4) break;
  }
  const numbers = [];
  const rest = client.responses.stream({ response_id: id, starting_after: last });
  for await (const event of rest) numbers.push(event.sequence_number);
  assert.deepEqual(numbers, numbers.map((_, index) => last + 1 + index));
  const kept = await client.responses.retrieve(id);
  assert.equal((await client.responses.stream({ response_id: id }).finalResponse()).output_text, kept.output_text);
});

await main();
