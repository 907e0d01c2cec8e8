// The fixed calls of every task but chat, with the official JavaScript client: embeddings, speech, transcription, pictures, edits.
//
// What must come out follows from the sandbox's manual, and is worked out here by code of its own: tones, vectors, pictures.
import assert from "node:assert/strict";
import { inflateSync } from "node:zlib";
import { InferenceClient } from "@huggingface/inference";
import { PICTURE, TOKEN, toSandbox } from "./huggingface_inference_calls.mjs";

// What polls and fetches results uses the fetch of the platform, not the one it is given.
globalThis.fetch = toSandbox;

export const HEARD = "ok go";
const SAID = "hello there";

/** The text as the sandbox hears it, in a WAV. */
function tones(text, rate = 8000) {
  const data = [...Buffer.from(text)];
  let [one, two] = [0, 0];
  for (const byte of data) [one, two] = [(one + byte) % 255, (two + ((one + byte) % 255)) % 255];
  const slot = (rate * 40) / 1000;
  const sound = Buffer.alloc((data.length + 2) * slot * 2);
  [...data, one, two].forEach((byte, number) => {
    const [high, low] = [600 + 100 * (byte >> 4), 2300 + 100 * (byte & 15)];
    for (let at = 0; at < slot; at += 1) {
      const wave = Math.sin((2 * Math.PI * high * at) / rate) + Math.sin((2 * Math.PI * low * at) / rate);
      sound.writeInt16LE(Math.trunc(0.3 * 32767 * wave), (number * slot + at) * 2);
    }
  });
  const head = Buffer.alloc(44);
  head.write("RIFF");
  head.writeUInt32LE(36 + sound.length, 4);
  head.write("WAVEfmt ", 8);
  [16, 1 | (1 << 16), rate, rate * 2, 2 | (16 << 16)].forEach((word, at) => head.writeUInt32LE(word, 16 + 4 * at));
  head.write("data", 36);
  head.writeUInt32LE(sound.length, 40);
  return Buffer.concat([head, sound]);
}

const AUDIO = tones(HEARD);
const INPUT = Buffer.from(PICTURE.split(",")[1], "base64");
const SIZE = { width: 64, height: 32 };

/** The Hub model, the words of the call, and who has it, by the names of the fixtures. */
export const MEDIA = {
  feature_extraction: {
    model: "sandbox/embeds",
    asked: { inputs: SAID },
    backends: ["hf-inference", "scaleway", "together", "deepinfra"],
    call: (client, asked) => client.featureExtraction(asked),
  },
  text_to_speech: {
    model: "sandbox/speaks",
    asked: { inputs: SAID },
    backends: ["hf-inference", "fal-ai", "replicate", "together", "deepinfra"],
    call: (client, asked) => client.textToSpeech(asked),
  },
  asr: {
    model: "openai/whisper-large-v3",
    asked: { inputs: `a WAV of ${AUDIO.length} bytes that says ${HEARD}` },
    backends: ["hf-inference", "fal-ai", "replicate", "together", "deepinfra"],
    call: (client, asked) => client.automaticSpeechRecognition({ ...asked, inputs: new Blob([AUDIO], { type: "audio/wav" }) }),
  },
  text_to_image: {
    model: "sandbox/draws",
    asked: { inputs: "a cat", parameters: { ...SIZE, seed: 7, num_inference_steps: 4 } },
    backends: ["hf-inference", "fal-ai", "replicate", "together", "nscale", "wavespeed", "zai-org"],
    call: (client, asked) => client.textToImage(asked),
  },
  image_to_image: {
    model: "sandbox/edits",
    asked: { inputs: `a PNG of ${INPUT.length} bytes`, parameters: { prompt: "make it red" } },
    backends: ["hf-inference", "fal-ai", "replicate", "together", "wavespeed"],
    call: (client, asked) => client.imageToImage({ ...asked, inputs: new Blob([INPUT], { type: "image/png" }) }),
  },
  lora: {
    model: "openfree/flux-chatgpt-ghibli-lora",
    asked: { inputs: "a dog", parameters: { ...SIZE, seed: 7 } },
    backends: ["fal-ai", "replicate", "wavespeed"],
    call: (client, asked) => client.textToImage(asked),
  },
};

/** What this client does not do by itself. */
export function fitted(backend, name, asked) {
  // It has a voice for Kokoro only, and this backend demands one.
  if (name === "text_to_speech" && backend === "together") return { ...asked, parameters: { voice: "af_alloy" } };
  if (name !== "text_to_image") return asked;
  // It passes parameters on that this one does not take.
  return backend === "nscale" ? { ...asked, parameters: { seed: 7, size: "64x32" } } : asked;
}

/** Makes one of the calls; a Blob is handed out as bytes. */
export async function callMedia(backend, name, { direct = false } = {}) {
  const media = MEDIA[name];
  const client = new InferenceClient(direct ? `key-${backend}` : TOKEN, { fetch: toSandbox, retry_on_error: false });
  // The client's pauses between polls do not keep Node awake.
  const awake = setInterval(() => {}, 60_000);
  const asked = { model: media.model, provider: backend, ...fitted(backend, name, media.asked) };
  const answer = await media.call(client, asked).finally(() => clearInterval(awake));
  return answer instanceof Blob ? Buffer.from(await answer.arrayBuffer()) : answer;
}

/** The requests of one call, in order: the one that asks, then polls and results. */
export const made = (entries) => entries.filter((entry) => ["routed", "direct", "asset"].includes(entry.area));

const U64 = (1n << 64n) - 1n;
const fnv = (data) => [...data].reduce((hash, byte) => ((hash ^ BigInt(byte)) * 0x100000001b3n) & U64, 0xcbf29ce484222325n);

function vector(text, size = 384) {
  const seed = fnv(Buffer.from(text));
  const numbers = Array.from({ length: size }, (_, at) => {
    let z = (seed + BigInt(at) + 0x9e3779b97f4a7c15n) & U64;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & U64;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & U64;
    return Number((z ^ (z >> 31n)) >> 11n) / 2 ** 52 - 1;
  });
  const length = Math.sqrt(numbers.reduce((sum, number) => sum + number * number, 0));
  return numbers.map((number) => number / length);
}

/** The chunks of a PNG, and the first row of its pixels. */
function read(png) {
  assert.equal(png.subarray(1, 4).toString(), "PNG");
  const chunks = {};
  for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at)) {
    const kind = png.toString("latin1", at + 4, at + 8);
    chunks[kind] = Buffer.concat([chunks[kind] ?? Buffer.alloc(0), png.subarray(at + 8, at + 8 + png.readUInt32BE(at))]);
  }
  return { chunks, row: inflateSync(chunks.IDAT).subarray(1, 33) };
}

function draws(png, description, [width, height] = [64, 32]) {
  const { row } = read(png);
  assert.equal(row.readBigUInt64BE(0), fnv(Buffer.from(description)), description);
  assert.equal(row.readBigUInt64BE(8), 7n);
  assert.deepEqual([row.readUInt32BE(20), row.readUInt32BE(24)], [width, height]);
}

/** Whether the answer is what the sandbox's manual says it is. */
export function expectMedia(backend, name, answer) {
  if (name === "feature_extraction") {
    const got = Array.isArray(answer[0]) ? answer[0] : answer;
    const wanted = vector(SAID);
    assert.ok(got.length === 384 && got.every((number, at) => Math.abs(number - wanted[at]) < 1e-6));
  } else if (name === "text_to_speech") {
    assert.equal(answer.toString("latin1", 0, 4), backend === "hf-inference" ? "fLaC" : "RIFF");
  } else if (name === "asr") {
    assert.equal(answer.text, HEARD);
  } else if (name === "text_to_image") {
    // fal and Z.ai do not know width and height at the root: what this client sends comes to nothing there.
    draws(answer, "a cat", ["fal-ai", "zai-org"].includes(backend) ? [512, 512] : [64, 32]);
  } else if (name === "lora") {
    const model = MEDIA.lora.model;
    const path = {
      "fal-ai": `https://huggingface.co/${model}/resolve/main/flux-chatgpt-ghibli-lora.safetensors`,
      replicate: `https://huggingface.co/${model}`,
      wavespeed: model,
    }[backend];
    draws(answer, `a dog\nlora: ${path}`, backend === "fal-ai" ? [512, 512] : [64, 32]);
  } else {
    const told = read(answer).chunks.tEXt.toString();
    assert.equal(told, `Description\0make it red\ninput: ${fnv(INPUT).toString(16).padStart(16, "0")}`);
  }
}
