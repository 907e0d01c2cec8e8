// Checks the sandbox with the official JavaScript client: every backend and task, routed and with its own key.
//
// Usage: huggingface_inference_check.mjs http://127.0.0.1:PORT (or SANDBOX_URL). Ends with the counts; exit 1 if a check failed.
// With ROUTER_URL, a gateway's address, all that the client would send to Hugging Face's router goes through the gateway instead.
import assert from "node:assert/strict";
import { InferenceClient } from "@huggingface/inference";
import { MEDIA, callMedia, expectMedia, made } from "./huggingface_inference_media.mjs";
import { BACKENDS, CALLS, NAME, PICTURE_BYTES, ROUTER, SANDBOX, TOKEN, VERSION, call, lastChat, sandbox, toSandbox } from "./huggingface_inference_calls.mjs";

const text = (answer) => answer.choices[0].message.content;

const EXPECT = {
  plain(answer) {
    assert.equal(text(answer), "echo: hello there");
    assert.ok(["stop", "eos"].includes(answer.choices[0].finish_reason));
    assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
  },
  stream(chunks) {
    const all = chunks.flatMap((chunk) => chunk.choices);
    assert.equal(all.map((choice) => choice.delta.content ?? "").join(""), "echo: hello there");
    const reasons = all.map((choice) => choice.finish_reason).filter(Boolean);
    assert.ok(reasons.length === 1 && ["stop", "eos"].includes(reasons[0]), String(reasons));
    assert.equal(chunks.map((chunk) => chunk.usage).filter(Boolean).at(-1)?.completion_tokens, 3);
  },
  tools(answer) {
    assert.equal(answer.choices[0].finish_reason, "tool_calls");
    const [called, ...more] = answer.choices[0].message.tool_calls;
    assert.equal(more.length, 0);
    assert.equal(called.function.name, "get_weather");
    assert.deepEqual(JSON.parse(called.function.arguments), { city: "call the weather", days: 7 });
  },
  json_schema(answer) {
    assert.deepEqual(JSON.parse(text(answer)), { name: "who", age: 7 });
  },
  vision(answer) {
    assert.equal(text(answer), `echo: what is this [image image/png ${PICTURE_BYTES} bytes]`);
  },
};

/** These want a JSON schema in a shape that this client does not send: it passes OpenAI's on. */
const OWN_SCHEMA = ["hf-inference", "cohere", "fireworks-ai"];

// Through a gateway, only what is routed is of interest.
const through = ROUTER !== SANDBOX;
const WAYS = through ? [false] : [false, true];

const checks = [];
for (const backend of BACKENDS) {
  for (const direct of WAYS) {
    if ((backend === "openai" && !direct) || (backend === "hf-inference" && direct)) continue;
    for (const name of Object.keys(CALLS)) {
      checks.push([`${backend} ${direct ? "direct" : "routed"} ${name}`, async () => {
        if (name === "json_schema" && OWN_SCHEMA.includes(backend)) {
          await assert.rejects(call(backend, name, { direct }), /inference/i);
          await sandbox("POST", "/_sandbox/settings", { lenient_schema: true });
        }
        EXPECT[name](await call(backend, name, { direct }));
        const seen = await lastChat();
        assert.equal(seen.backend, backend);
        assert.equal(seen.area, direct ? "direct" : "routed");
        // This client puts the model first everywhere but where it stands in the path.
        assert.equal(seen.model_first, backend !== "hf-inference", String(seen.members));
      }]);
    }
  }
}

for (const [name, { backends }] of Object.entries(MEDIA)) {
  for (const backend of backends) {
    for (const direct of backend === "hf-inference" ? [false] : WAYS) {
      checks.push([`${backend} ${direct ? "direct" : "routed"} ${name}`, async () => {
        // Z.ai is polled every five seconds.
        await sandbox("POST", "/_sandbox/settings", { queue_polls: backend === "zai-org" ? 0 : 1 });
        expectMedia(backend, name, await callMedia(backend, name, { direct }));
        const [first, ...then] = made(await sandbox("GET", "/_sandbox/journal"));
        assert.deepEqual([first.backend, first.area], [backend, direct ? "direct" : "routed"]);
        assert.ok(then.every((entry) => !entry.leaked && [200, 202].includes(entry.status)), JSON.stringify(then));
      }]);
    }
  }
}

if (!through) {
  checks.push(["the router chooses by policy", async () => {
    const model = async (name) => (await call("auto", "plain", { model: name })).model;
    assert.equal(await model("sandbox/everywhere"), "everywhere-1b");
    assert.equal(await model("sandbox/everywhere:cheapest"), "everywhere-instant");
    assert.equal(await model("sandbox/everywhere:together"), "sandbox/Everywhere-Turbo");
  }]);
  checks.push(["self-hosted servers", async () => {
    for (const server of ["tgi", "vllm", "llamacpp", "endpoint"]) {
      const token = server === "endpoint" ? TOKEN : `key-${server}`;
      const client = new InferenceClient(token, { fetch: toSandbox });
      const model = server === "vllm" ? { model: "sandbox/vllm-model" } : {};
      for (const end of ["", "/v1/"]) {
        const asked = { ...CALLS.plain, ...model };
        EXPECT.plain(await client.endpoint(`${SANDBOX}/custom/${server}${end}`).chatCompletion(asked));
      }
    }
  }]);
}
checks.push(["a member that cerebras refuses is taken out by the client", async () => {
  EXPECT.plain(await call("cerebras", "plain", { more: { store: true } }));
  assert.ok(!(await lastChat()).members.includes("store"));
}]);
checks.push(["refusals are read", async () => {
  await assert.rejects(call("groq", "plain", { model: "google/gemma-2b" }), /inference provider information/);
  await assert.rejects(call("groq", "plain", { model: "nobody/has-this" }), /Repository not found|Invalid username/);
  await assert.rejects(call("together", "plain", { model: "black-forest-labs/FLUX.1-dev" }), /not supported for task/);
  await assert.rejects(call("hf-inference", "plain", { model: "google/gemma-2b" }), /Template error/);
}]);
checks.push(["faults arrive", async () => {
  const fault = (match, what) => sandbox("POST", "/_sandbox/faults", { times: 1, match, fault: what });
  await fault({ backend: "hf-inference" }, { kind: "loading" });
  await assert.rejects(call("hf-inference", "plain"), /currently loading/);
  for (const backend of ["groq", "hf-inference"]) {
    for (const as of ["crlf", "bytes", "comments", "one_write", "fields"]) {
      await fault({ operation: "chat" }, { kind: "framing", as });
      EXPECT.stream(await call(backend, "stream"));
    }
  }
  await fault({ operation: "chat" }, { kind: "stream_error", after: 2, shape: "text" });
  await assert.rejects(call("groq", "stream"), /overloaded/);
  await fault({ operation: "chat" }, { kind: "content_type", value: "text/html" });
  await assert.rejects(call("groq", "stream"), /event stream/);
}]);

let failed = 0;
for (const [name, run] of checks) {
  for (const room of ["faults", "settings", "journal", "jobs"]) await sandbox("DELETE", `/_sandbox/${room}`);
  try {
    await run();
  } catch (error) {
    failed += 1;
    console.log(`FAILED ${name}\n${error?.stack ?? error}`);
  }
}
for (const room of ["faults", "settings"]) await sandbox("DELETE", `/_sandbox/${room}`);
console.log(`${NAME} ${VERSION}: ${checks.length} checks`);
console.log(`${checks.length - failed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
