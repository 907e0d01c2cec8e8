// The few lines that every Node client script shares: named checks, the two addresses, faults on demand.
import assert from "node:assert/strict";
import { appendFileSync } from "node:fs";

export const GATEWAY = (process.env.IRONBOW_URL ?? "http://127.0.0.1:8080").replace(/\/$/, "");
export const SANDBOX = (process.env.SANDBOX_URL ?? "").replace(/\/$/, "");

const checks = [];

// Where every answer that the SDK reads is written down, to be held against OpenAI's description: see tests/openapi.
const RECORDS = process.env.IRONBOW_RECORDS;
if (RECORDS) {
  const real = globalThis.fetch;
  globalThis.fetch = async (address, options) => {
    const response = await real(address, options);
    const url = new URL(address instanceof Request ? address.url : address);
    const type = response.headers.get("content-type") ?? "";
    if (url.href.startsWith(GATEWAY) && /^(application\/json|text\/event-stream)/.test(type)) {
      note(response.clone(), options?.method ?? "GET", url, type);
    }
    return response;
  };
}

/** Writes an answer down as far as it comes. */
async function note(response, method, url, type) {
  const pieces = [];
  let whole = false;
  try {
    for await (const piece of response.body) pieces.push(piece);
    whole = true;
  } catch {
    // Whoever asked has left; what came until then is judged.
  }
  const row = { method, path: url.pathname + url.search, status: response.status, type, text: Buffer.concat(pieces).toString(), whole };
  appendFileSync(RECORDS, `${JSON.stringify(row)}\n`);
}

/** Registers one check; its name says what is true when it passes. */
export function check(name, run) {
  checks.push({ name, run });
}

/** Runs every check, prints what failed and why, and closes with the counts; `prepare` runs before each. */
export async function main(prepare = () => {}) {
  let failed = 0;
  for (const { name, run } of checks) {
    await startAfresh();
    await prepare();
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error("not done within 60 s")), 60_000);
    });
    try {
      await Promise.race([run(), late]);
    } catch (error) {
      failed += 1;
      console.log(`FAILED ${name}\n${error?.stack ?? error}`);
    } finally {
      clearTimeout(timer);
    }
  }
  await startAfresh();
  console.log(`${checks.length - failed} passed, ${failed} failed`);
  process.exit(failed || !checks.length ? 1 : 0);
}

/** The error that `action` must reject with, of exactly this class. */
export async function rejects(expected, action) {
  try {
    await action();
  } catch (error) {
    assert.equal(error?.constructor?.name, expected.name, String(error));
    return error;
  }
  throw new Error(`no ${expected.name} was thrown`);
}

/** Asks the sandbox to misbehave at the next such call; see docs/sandbox.md for the kinds of faults and their members. */
export const fault = (what, times = 1, operation = "chat") =>
  sandbox("POST", "/_sandbox/faults", { match: { operation }, times, fault: what });

/** Changes how the sandbox answers until it is changed back; see docs/sandbox.md. */
export const settings = (what) => sandbox("POST", "/_sandbox/settings", what);

/** The requests of this operation that the sandbox got since this check began, oldest first. */
export const asked = async (operation) => (await sandbox("GET", "/_sandbox/journal")).filter((entry) => entry.operation === operation);

/** The sandbox behaves again, and forgets what it was asked. */
async function startAfresh() {
  if (!SANDBOX) return;
  for (const room of ["faults", "settings", "journal"]) await sandbox("DELETE", `/_sandbox/${room}`);
}

async function sandbox(method, path, body) {
  const reply = await fetch(SANDBOX + path, {
    method,
    headers: { "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  });
  assert.ok(reply.ok, `${method} ${path}: ${reply.status}`);
  const text = await reply.text();
  return text ? JSON.parse(text) : undefined;
}
