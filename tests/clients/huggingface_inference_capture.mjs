// Writes down what the official JavaScript client sends for the fixed calls, one file per backend and call.
// Those of chat stand in the folder itself, those of all other tasks in its folder `tasks`.
//
// Usage: huggingface_inference_capture.mjs http://127.0.0.1:PORT [FOLDER]. The folder is crates/providers/tests/captured/js if
// left out. Secrets, addresses and versions do not get into the files, so that a second run changes nothing unless the client did.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { MEDIA, callMedia, fitted, made } from "./huggingface_inference_media.mjs";
import { BACKENDS, CALLS, MODEL, NAME, VERSION, call, lastChat, sandbox } from "./huggingface_inference_calls.mjs";

const crate = fileURLToPath(new URL("../../crates/providers", import.meta.url));
if (!process.argv[3] && !existsSync(crate)) throw new Error("run from a copy of the scripts: name the folder to write to");
const folder = process.argv[3] ?? `${crate}/tests/captured/js`;
// These change from run to run, or are the transport's and not the call's.
const LEFT_OUT = new Set([
  "host", "user-agent", "content-length", "connection", "accept-encoding", "sec-fetch-mode", "accept-language:*",
]);

/** The one chat request that a call makes, as a fixture. */
async function sent(backend, name, direct) {
  await sandbox("DELETE", "/_sandbox/journal");
  await call(backend, name, { direct });
  const seen = await lastChat();
  const prefix = direct ? `/direct/${backend}` : backend === "auto" ? "" : `/${backend}`;
  assert.ok(seen.target.startsWith(prefix), seen.target);
  // Node's fetch adds `accept-language: *` by itself.
  const kept = seen.headers.filter(([key, value]) => !LEFT_OUT.has(key) && !LEFT_OUT.has(`${key}:${value}`));
  const headers = Object.fromEntries(kept.sort(([a], [b]) => (a < b ? -1 : 1)));
  headers.authorization = direct ? "Bearer <key>" : "Bearer <hf token>";
  return { method: seen.method, path: seen.target.slice(prefix.length), headers, body: JSON.parse(seen.body) };
}

/** A body as a fixture: JSON as it is, a form by its parts, bytes by what they are. */
function bodyOf(seen) {
  if (seen.parts) return { multipart: seen.parts };
  if (seen.members) return JSON.parse(seen.body);
  return seen.body_bytes ? { bytes: seen.body_bytes, hash: seen.body_hash, kind: seen.body_kind } : null;
}

function requestOf(seen, backend, direct) {
  const prefixes = direct ? [`/direct/${backend}-queue`, `/direct/${backend}`] : [`/${backend}`];
  const prefix = prefixes.find((one) => seen.target.startsWith(`${one}/`)) ?? "";
  const kept = seen.headers.filter(([key, value]) => !LEFT_OUT.has(key) && !LEFT_OUT.has(`${key}:${value}`));
  const headers = Object.fromEntries(kept.sort(([a], [b]) => (a < b ? -1 : 1)));
  if (headers.authorization) headers.authorization = `${headers.authorization.split(" ")[0]} ${direct ? "<key>" : "<hf token>"}`;
  if (headers["content-type"]?.includes("boundary=")) headers["content-type"] = "multipart/form-data; boundary=<boundary>";
  return { method: seen.method, path: seen.target.slice(prefix.length), headers, body: bodyOf(seen) };
}

/** All requests of one call: the first one, and under `then` its polls, its result, and what it fetches. */
async function exchanged(backend, name, direct) {
  for (const room of ["journal", "jobs"]) await sandbox("DELETE", `/_sandbox/${room}`);
  await callMedia(backend, name, { direct });
  const [first, ...then] = made(await sandbox("GET", "/_sandbox/journal"));
  const queue = first.target.startsWith("/direct/fal-ai-queue/") ? { queue: true } : {};
  return { ...requestOf(first, backend, direct), ...queue, then: then.map((seen) => requestOf(seen, backend, direct)) };
}

mkdirSync(`${folder}/tasks`, { recursive: true });
await sandbox("DELETE", "/_sandbox/faults");
await sandbox("DELETE", "/_sandbox/settings");
await sandbox("POST", "/_sandbox/settings", { lenient_schema: true });
let count = 0;
for (const backend of [...BACKENDS, "auto"]) {
  for (const name of Object.keys(CALLS)) {
    const fixture = {
      client: `${NAME} ${VERSION}`,
      backend,
      call: name,
      hub_model: backend === "openai" ? "gpt-4o-mini" : MODEL,
      asked: name === "stream" ? { ...CALLS[name], stream: true } : CALLS[name],
      routed: backend === "openai" ? null : await sent(backend, name, false),
      direct: ["hf-inference", "auto"].includes(backend) ? null : await sent(backend, name, true),
    };
    writeFileSync(`${folder}/${backend}.${name}.json`, `${JSON.stringify(fixture, null, 2)}\n`);
    count += 1;
  }
}
await sandbox("POST", "/_sandbox/settings", { queue_polls: 0 });
for (const [name, media] of Object.entries(MEDIA)) {
  for (const backend of media.backends) {
    const fixture = {
      client: `${NAME} ${VERSION}`,
      backend,
      call: name,
      hub_model: media.model,
      asked: fitted(backend, name, media.asked),
      routed: await exchanged(backend, name, false),
      direct: backend === "hf-inference" ? null : await exchanged(backend, name, true),
    };
    writeFileSync(`${folder}/tasks/${backend}.${name}.json`, `${JSON.stringify(fixture, null, 2)}\n`);
    count += 1;
  }
}
await sandbox("DELETE", "/_sandbox/settings");
console.log(`${count} files in ${folder}`);
