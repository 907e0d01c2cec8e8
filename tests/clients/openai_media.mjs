// OpenAI's Node SDK against the gateway: embeddings, sound, pictures, streams of pictures, the list of models.
import assert from "node:assert/strict";
import { createReadStream, readFileSync } from "node:fs";
import { join } from "node:path";
import OpenAI, { toFile } from "openai";
import { GATEWAY, asked, check, fault, main, rejects, settings } from "./harness.mjs";

const EMBEDS = "huggingface/scaleway/sandbox/embeds";
const SPEAKS = "huggingface/hf-inference/sandbox/speaks";
const HEARS = "huggingface/hf-inference/openai/whisper-large-v3";
const DRAWS = "huggingface/fal-ai/sandbox/draws";
const EDITS = "huggingface/fal-ai/sandbox/edits";
const WORDS = "The quick brown fox jumps over the dog";
const SOUNDS = process.env.SOUNDS;
// One black pixel.
const PIXEL = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII=",
  "base64",
);

const client = new OpenAI({ baseURL: `${GATEWAY}/v1`, apiKey: "anything", maxRetries: 0, timeout: 30_000 });

/** Width, height and description of one of the sandbox's pictures. */
function shown(data) {
  assert.equal(data.subarray(1, 4).toString(), "PNG");
  const found = { width: data.readUInt32BE(16), height: data.readUInt32BE(20) };
  for (let at = 8; at < data.length; at += 12 + data.readUInt32BE(at)) {
    const inside = data.subarray(at + 8, at + 8 + data.readUInt32BE(at));
    if (data.toString("latin1", at + 4, at + 8) === "tEXt") found.description = inside.subarray(inside.indexOf(0) + 1).toString();
  }
  return found;
}

async function picture(item) {
  if (item.b64_json) return shown(Buffer.from(item.b64_json, "base64"));
  const reply = await fetch(item.url, { signal: AbortSignal.timeout(10_000) });
  assert.equal(reply.status, 200);
  return shown(Buffer.from(await reply.arrayBuffer()));
}

const speak = async (more = {}) =>
  client.audio.speech.create({ model: SPEAKS, input: WORDS, voice: "alloy", response_format: "wav", ...more });
const bytes = async (reply) => Buffer.from(await (await reply).arrayBuffer());
const hear = async (sound, more = {}) =>
  client.audio.transcriptions.create({ model: HEARS, file: await toFile(sound, "speech.wav"), ...more });

check("vectors are the same, decoded by the SDK or sent as numbers", async () => {
  for (const backend of ["hf-inference", "scaleway", "together", "deepinfra"]) {
    const model = `huggingface/${backend}/sandbox/embeds`;
    const decoded = await client.embeddings.create({ model, input: ["one", "two"] });
    const plain = await client.embeddings.create({ model, input: ["one", "two"], encoding_format: "float" });
    assert.deepEqual(decoded.data.map((item) => item.index), [0, 1], backend);
    decoded.data.forEach(({ embedding }, n) => {
      assert.equal(embedding.length, 384, backend);
      embedding.forEach((number, at) => assert.ok(Math.abs(number - plain.data[n].embedding[at]) < 1e-6, `${backend} ${n} ${at}`));
    });
  }
});

check("a batch above the backend's limit stays in order, and dimensions shorten", async () => {
  const input = Array.from({ length: 70 }, (_, n) => `text ${n}`);
  const all = await client.embeddings.create({ model: "huggingface/hf-inference/sandbox/embeds", input });
  const last = await client.embeddings.create({ model: EMBEDS, input: "text 69" });
  assert.equal(all.data.length, 70);
  assert.ok(Math.abs(all.data[69].embedding[5] - last.data[0].embedding[5]) < 1e-6);
  assert.equal((await client.embeddings.create({ model: EMBEDS, input: "x", dimensions: 32 })).data[0].embedding.length, 32);
});

check("what one backend speaks another one hears", async () => {
  for (const backend of ["hf-inference", "fal-ai", "replicate", "deepinfra"]) {
    const sound = await bytes(speak({ model: `huggingface/${backend}/sandbox/speaks`, response_format: undefined }));
    assert.equal((await hear(sound)).text, WORDS, backend);
  }
});

check("speech comes in the format that was asked for", async () => {
  for (const [form, begins] of [["wav", "RIFF"], ["flac", "fLaC"], ["opus", "OggS"]]) {
    assert.equal((await bytes(speak({ response_format: form }))).toString("latin1", 0, 4), begins);
  }
  assert.ok((await bytes(speak({ response_format: "pcm" }))).length > 24_000);
});

check("a recording is read from a file, and its bytes decide what it is", async () => {
  for (const name of ["tone.flac", "tone-stereo.m4a", "browser.webm", "voice.opus", "vorbis.ogg"]) {
    const file = createReadStream(join(SOUNDS, name));
    const reply = await client.audio.transcriptions.create({ model: "huggingface/fal-ai/openai/whisper-large-v3", file });
    assert.match(reply.text, /^heard /, name);
  }
  const renamed = await toFile(readFileSync(join(SOUNDS, "tone.flac")), "lie.mp3", { type: "audio/mpeg" });
  assert.match((await client.audio.transcriptions.create({ model: HEARS, file: renamed })).text, /audio\/flac/);
});

check("a transcript is written in every form, and streams", async () => {
  const sound = await bytes(speak());
  assert.equal((await hear(sound, { response_format: "text" })).trim(), WORDS);
  assert.match(await hear(sound, { response_format: "srt" }), /^1\n00:00:00,\d{3} --> /);
  assert.match(await hear(sound, { response_format: "vtt" }), /^WEBVTT\n\n00:00:00\.\d{3} --> /);
  const full = await hear(sound, { response_format: "verbose_json", timestamp_granularities: ["word"] });
  assert.deepEqual(full.words.map((w) => w.word.trim()), WORDS.split(" "));
  let text = "";
  for await (const event of await hear(sound, { stream: true })) {
    if (event.type === "transcript.text.delta") text += event.delta;
  }
  assert.equal(text, WORDS);
});

check("a translation is asked for", async () => {
  const file = await toFile(await bytes(speak()), "speech.wav");
  const reply = await client.audio.translations.create({ model: "huggingface/fal-ai/openai/whisper-large-v3", file });
  assert.equal(reply.text, `translation: ${WORDS}`);
});

check("pictures come as base64 and as addresses, in the size that was asked for", async () => {
  for (const backend of ["hf-inference", "fal-ai", "replicate", "together", "nscale", "wavespeed", "zai-org"]) {
    for (const response_format of ["b64_json", "url"]) {
      const model = `huggingface/${backend}/sandbox/draws`;
      const reply = await client.images.generate({ model, prompt: "a cat", size: "128x64", response_format });
      assert.deepEqual(await picture(reply.data[0]), { width: 128, height: 64, description: "a cat" }, backend);
    }
  }
  assert.equal((await client.images.generate({ model: DRAWS, prompt: "a cat", n: 3 })).data.length, 3);
});

check("one picture and several are edited", async () => {
  for (const backend of ["fal-ai", "replicate", "together", "wavespeed", "hf-inference"]) {
    const image = await toFile(PIXEL, "in.png", { type: "image/png" });
    const model = `huggingface/${backend}/sandbox/edits`;
    const reply = await client.images.edit({ model, image, prompt: "red", response_format: "b64_json" });
    assert.match((await picture(reply.data[0])).description, /^red\ninput: /, backend);
  }
  const image = await Promise.all([1, 2].map((n) => toFile(PIXEL, `${n}.png`, { type: "image/png" })));
  const reply = await client.images.edit({ model: EDITS, image, prompt: "red", response_format: "b64_json" });
  assert.equal((await picture(reply.data[0])).description.split("input: ").length, 3);
});

check("a picture streams from sketch to finish", async () => {
  const kinds = async (stream) => {
    const seen = [];
    for await (const event of stream) {
      assert.equal(shown(Buffer.from(event.b64_json, "base64")).width > 0, true);
      seen.push(event.type);
    }
    return seen;
  };
  const made = await client.images.generate({ model: DRAWS, prompt: "a cat", stream: true, partial_images: 2 });
  assert.deepEqual(await kinds(made), [...Array(2).fill("image_generation.partial_image"), "image_generation.completed"]);
  const image = await toFile(PIXEL, "in.png", { type: "image/png" });
  const edited = await client.images.edit({ model: EDITS, image, prompt: "red", stream: true, partial_images: 1 });
  assert.deepEqual(await kinds(edited), ["image_edit.partial_image", "image_edit.completed"]);
});

check("a stream of pictures that breaks ends with an error", async () => {
  for (const kind of ["cut", "reset", "stream_error"]) {
    await fault({ kind, after: 1 }, 1, "image_stream");
    await assert.rejects(async () => {
      for await (const _event of await client.images.generate({ model: DRAWS, prompt: "a cat", stream: true, partial_images: 2 }));
    }, `${kind}: the stream ended as if it were whole`);
  }
});

check("what cannot be done is said by name", async () => {
  const unsupported = async (action) => assert.equal((await rejects(OpenAI.BadRequestError, action)).code, "unsupported_operation");
  await unsupported(async () => client.images.createVariation({ image: await toFile(PIXEL, "in.png") }));
  await unsupported(() => client.embeddings.create({ model: "huggingface/groq/x/y", input: "x" }));
  await unsupported(() => client.audio.speech.create({ model: "huggingface/groq/x/y", input: "x", voice: "alloy" }));
  const bad = await rejects(OpenAI.BadRequestError, () => client.images.generate({ model: DRAWS, prompt: "x", size: "big" }));
  assert.equal(bad.param, "size");
  assert.deepEqual(await asked("image"), []);
});

check("the list of models ends, and a model with slashes is found", async () => {
  const seen = [];
  for await (const model of client.models.list()) seen.push(model.id);
  assert.equal(new Set(seen).size, seen.length);
  for (const id of [DRAWS, EDITS, EMBEDS, SPEAKS, HEARS]) {
    assert.ok(seen.includes(id), id);
    assert.equal((await client.models.retrieve(id)).id, id);
  }
});

// Jobs are done when they are first asked after.
await main(() => settings({ queue_polls: 0 }));
