// The official JavaScript client pointed at the sandbox, and the fixed calls that are checked and captured.
//
// Its addresses are constants; the `fetch` that it takes as an option sends each of them to the sandbox instead.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { InferenceClient, PROVIDERS_HUB_ORGS } from "@huggingface/inference";

export const SANDBOX = (process.argv[2] ?? process.env.SANDBOX_URL ?? "").replace(/\/$/, "");
if (!SANDBOX) {
  console.error("usage: the sandbox's address as the first argument, or in SANDBOX_URL");
  process.exit(2);
}
// What stands where Hugging Face's router is: the sandbox, or a gateway that passes everything on to it.
export const ROUTER = (process.env.ROUTER_URL ?? "").replace(/\/$/, "") || SANDBOX;

const entry = createRequire(import.meta.url).resolve("@huggingface/inference");
export const NAME = "@huggingface/inference";
export const VERSION = JSON.parse(readFileSync(entry.replace(/inference\/dist\/.*/, "inference/package.json"), "utf8")).version;
export const TOKEN = "hf_sandbox";
export const MODEL = "sandbox/everywhere";

/** The backends' own addresses, as this client has them. */
const DIRECT = {
  "https://inference.baseten.co": "baseten",
  "https://api.cerebras.ai": "cerebras",
  "https://api.cohere.com": "cohere",
  "https://api.deepinfra.com": "deepinfra",
  "https://api.featherless.ai": "featherless-ai",
  "https://api.fireworks.ai": "fireworks-ai",
  "https://api.groq.com": "groq",
  "https://api.novita.ai": "novita",
  "https://inference.api.nscale.com": "nscale",
  "https://api.openai.com": "openai",
  "https://oai.endpoints.kepler.ai.cloud.ovh.net": "ovhcloud",
  "https://api.publicai.co": "publicai",
  "https://api.scaleway.ai": "scaleway",
  "https://api.together.xyz": "together",
  "https://api.z.ai": "zai-org",
};
/** Those of backends without chat. */
const MEDIA_ONLY = {
  "https://fal.run": "fal-ai",
  "https://queue.fal.run": "fal-ai-queue",
  "https://api.replicate.com": "replicate",
  "https://api.wavespeed.ai": "wavespeed",
};
const platformFetch = globalThis.fetch;

/** Sends what was meant for the real services to the sandbox. */
export function toSandbox(url, options) {
  const to = new URL(url);
  const rest = to.pathname + to.search;
  if (to.origin === SANDBOX || to.protocol === "data:") return platformFetch(url, options);
  if (to.origin === "https://huggingface.co") return platformFetch(SANDBOX + rest, options);
  if (to.origin === "https://router.huggingface.co") return platformFetch(ROUTER + rest, options);
  const backend = DIRECT[to.origin] ?? MEDIA_ONLY[to.origin];
  if (!backend) throw new Error(`the client wants to call ${to.origin}`);
  return platformFetch(`${SANDBOX}/direct/${backend}${rest}`, options);
}

export const PICTURE =
  "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
export const PICTURE_BYTES = Buffer.from(PICTURE.split(",")[1], "base64").length;
const TOOLS = [
  {
    type: "function",
    function: {
      name: "get_weather",
      description: "The weather in a city",
      parameters: {
        type: "object",
        properties: { city: { type: "string" }, days: { type: "integer" } },
        required: ["city"],
      },
    },
  },
];
const SCHEMA = {
  type: "object",
  properties: { name: { type: "string" }, age: { type: "integer" } },
  required: ["name", "age"],
  additionalProperties: false,
};

const asks = (text) => ({
  messages: [
    { role: "system", content: "You are brief." },
    { role: "user", content: text },
  ],
});

export const CALLS = {
  plain: { ...asks("hello there"), max_tokens: 50, temperature: 0.5, top_p: 0.9, seed: 1, stop: ["END"] },
  stream: { ...asks("hello there"), stream_options: { include_usage: true } },
  tools: { ...asks("call the weather"), tools: TOOLS, tool_choice: "auto" },
  json_schema: {
    ...asks("who"),
    response_format: { type: "json_schema", json_schema: { name: "person", schema: SCHEMA, strict: true } },
  },
  vision: {
    messages: [
      {
        role: "user",
        content: [
          { type: "text", text: "what is this" },
          { type: "image_url", image_url: { url: PICTURE } },
        ],
      },
    ],
  },
};

/** Every backend that serves chat in the sandbox; the client must know each of them. */
export const BACKENDS = ["hf-inference", ...Object.values(DIRECT)];
for (const backend of BACKENDS) {
  if (!(backend in PROVIDERS_HUB_ORGS)) throw new Error(`${NAME} ${VERSION} does not know ${backend}`);
}

/** One of the sandbox's own paths. */
export async function sandbox(method, path, body) {
  const reply = await fetch(SANDBOX + path, {
    method,
    headers: { "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  });
  if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${await reply.text()}`);
  return reply.json();
}

/** Makes one of the calls; a stream is read to its end and handed out as a list. */
export async function call(backend, name, { direct = false, model = MODEL, more = {} } = {}) {
  const client = new InferenceClient(direct ? `key-${backend}` : TOKEN, { fetch: toSandbox, retry_on_error: false });
  if (backend === "openai") model = "openai/gpt-4o-mini";
  const asked = { model, ...CALLS[name], ...more, provider: backend };
  if (name !== "stream") return client.chatCompletion(asked);
  const chunks = [];
  for await (const chunk of client.chatCompletionStream(asked)) chunks.push(chunk);
  return chunks;
}

/** The journal's last chat request. */
export async function lastChat() {
  return (await sandbox("GET", "/_sandbox/journal")).filter((entry) => entry.operation === "chat").at(-1);
}
