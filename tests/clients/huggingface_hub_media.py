"""The fixed calls of every task but chat, with the official Python client: embeddings, speech, transcription, pictures, edits.

What must come out follows from the sandbox's manual, and is worked out here by code of its own: tones, vectors, pictures.
"""
import base64
import math
import struct
import zlib
from urllib.parse import urlparse

from huggingface_hub_calls import PICTURE, SANDBOX, TOKEN, sandbox

from huggingface_hub import InferenceClient
from huggingface_hub.inference import _client, _providers
from huggingface_hub.inference._providers import _common, fal_ai, hf_inference, wavespeed

# Pictures and vectors are wanted as they came: neither Pillow nor numpy is needed then.
_client._bytes_to_image = lambda content: content
_client._import_numpy = lambda: type("Plain", (), {"array": staticmethod(lambda value, **_: value), "float32": None})

# A queue is another host; and what polls it looks at the host's name to know whether it goes through the router.
for _helper in _providers.PROVIDERS["fal-ai"].values():
    if isinstance(_helper, fal_ai.FalAIQueueTask):
        _helper.base_url = f"{SANDBOX}/direct/fal-ai-queue"
OFFICIAL = {
    f"{SANDBOX}/direct/fal-ai-queue/": "https://queue.fal.run/",
    f"{SANDBOX}/direct/wavespeed/": "https://api.wavespeed.ai/",
    f"{SANDBOX}/_assets/": f"{SANDBOX}/_assets/",
    f"{SANDBOX}/": "https://router.huggingface.co/",
}


def official(url):
    """The address that the client believes to call."""
    return next((real + url[len(ours):] for ours, real in OFFICIAL.items() if url.startswith(ours)), url)


def to_sandbox(url):
    return next((ours + url[len(real):] for ours, real in OFFICIAL.items() if url.startswith(real)), url)


class Session:
    def __init__(self, session):
        self.session = session

    def get(self, url, **more):
        return self.session.get(to_sandbox(url), **more)


for _module in (fal_ai, wavespeed):
    _module.urlparse = lambda url: urlparse(official(url))
    _module.get_session = lambda real=_module.get_session: Session(real())

HEARD = "ok go"
SAID = "hello there"


def tones(text, rate=8000):
    """The text as the sandbox hears it, in a WAV."""
    data = text.encode()
    one = two = 0
    for byte in data:
        one = (one + byte) % 255
        two = (two + one) % 255
    out = bytearray()
    for byte in data + bytes([one, two]):
        high, low = 600 + 100 * (byte >> 4), 2300 + 100 * (byte & 15)
        for at in range(rate * 40 // 1000):
            wave = math.sin(math.tau * high * at / rate) + math.sin(math.tau * low * at / rate)
            out += struct.pack("<h", int(0.3 * 32767 * wave))
    head = b"RIFF" + struct.pack("<I", 36 + len(out)) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, rate, rate * 2, 2, 16)
    return head + b"data" + struct.pack("<I", len(out)) + bytes(out)


AUDIO = tones(HEARD)
INPUT = base64.b64decode(PICTURE.split(",")[1])
SIZE = {"width": 64, "height": 32}

# The Hub model of each call.
MODELS = {
    "feature_extraction": "sandbox/embeds",
    "text_to_speech": "sandbox/speaks",
    "asr": "openai/whisper-large-v3",
    "text_to_image": "sandbox/draws",
    "image_to_image": "sandbox/edits",
    "lora": "openfree/flux-chatgpt-ghibli-lora",
}
TASKS = {
    "feature_extraction": "feature-extraction",
    "text_to_speech": "text-to-speech",
    "asr": "automatic-speech-recognition",
    "text_to_image": "text-to-image",
    "image_to_image": "image-to-image",
    "lora": "text-to-image",
}
ASKED = {
    "feature_extraction": {"inputs": SAID},
    "text_to_speech": {"inputs": SAID},
    "asr": {"inputs": f"a WAV of {len(AUDIO)} bytes that says {HEARD}"},
    "text_to_image": {"inputs": "a cat", "parameters": SIZE | {"seed": 7, "num_inference_steps": 4}},
    "image_to_image": {"inputs": f"a PNG of {len(INPUT)} bytes", "parameters": {"prompt": "make it red"}},
    "lora": {"inputs": "a dog", "parameters": SIZE | {"seed": 7}},
}


def backends(name):
    """Every backend that this client has the call for, and that serves its model."""
    models = {model["id"]: model for model in sandbox("GET", "/_sandbox/world")["models"]}
    serving = {route["backend"] for route in models[MODELS[name]]["routes"]}
    return [backend for backend, tasks in _providers.PROVIDERS.items() if TASKS[name] in tasks and backend in serving]


def client(backend, direct, model):
    _common._fetch_inference_provider_mapping.cache_clear()
    hf_inference._check_supported_task.cache_clear()
    return InferenceClient(provider=backend, api_key=f"key-{backend}" if direct else TOKEN, model=model, timeout=30)


def call(backend, name, *, direct=False, model=None):
    """Makes one of the calls."""
    caller = client(backend, direct, model or MODELS[name])
    parameters = ASKED[name].get("parameters", {})
    if name == "feature_extraction":
        return caller.feature_extraction(SAID)
    if name == "text_to_speech":
        return caller.text_to_speech(SAID, extra_body={"voice": "af_alloy"} if backend == "together" else None)
    if name == "asr":
        return caller.automatic_speech_recognition(AUDIO)
    if name == "image_to_image":
        return caller.image_to_image(INPUT, **parameters)
    if backend == "zai-org":
        parameters = {key: value for key, value in parameters.items() if key != "num_inference_steps"}
    return caller.text_to_image(ASKED[name]["inputs"], **parameters)


def made(entries):
    """The requests of one call, in order: the one that asks, then polls and results."""
    return [entry for entry in entries if entry["area"] in ("routed", "direct", "asset")]


def fnv(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def vector(text, size=384):
    def mixed(state):
        z = (state + 0x9E3779B97F4A7C15) % 2**64
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
        return z ^ z >> 31

    numbers = [(mixed((fnv(text.encode()) + at) % 2**64) >> 11) / 2**52 - 1 for at in range(size)]
    length = math.sqrt(sum(number * number for number in numbers))
    return [number / length for number in numbers]


def card(png):
    """Description hash, seed, index, width, height and step of a picture, from its pixels."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n"), png[:20]
    at, data = 8, b""
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        kind, body = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert zlib.crc32(kind + body) == struct.unpack(">I", png[at + 8 + length : at + 12 + length])[0], kind
        if kind == b"IHDR":
            size = struct.unpack(">II", body[:8])
        data += body if kind == b"IDAT" else b""
        at += 12 + length
    pixels = zlib.decompress(data)
    assert len(pixels) == size[1] * (size[0] + 1), "every row is whole"
    return struct.unpack(">QQIIII", pixels[1:33]), size


def draws(png, description, seed=None, size=(64, 32)):
    (told, told_seed, index, width, height, step), real = card(png)
    assert (width, height) == real == size, (width, height, real)
    assert told == fnv(description.encode()) and (index, step) == (0, 0), (told, index, step)
    assert told_seed == seed if seed is not None else told_seed > 2**63, told_seed


def check(backend, name, answer):
    """Whether the answer is what the sandbox's manual says it is."""
    if name == "feature_extraction":
        got = answer[0] if isinstance(answer[0], list) else answer
        assert max(abs(a - b) for a, b in zip(got, vector(SAID), strict=True)) < 1e-6
    elif name == "text_to_speech":
        assert answer[:4] in (b"fLaC", b"RIFF") and (answer[:4] == b"fLaC") == (backend == "hf-inference"), answer[:4]
    elif name == "asr":
        assert answer.text == HEARD, answer
    elif name == "text_to_image":
        draws(answer, "a cat", 7)
    elif name == "lora":
        base = f"{SANDBOX}/" if backend == "fal-ai" else "https://huggingface.co/"
        path = base + MODELS[name] + ("/resolve/main/flux-chatgpt-ghibli-lora.safetensors" if backend == "fal-ai" else "")
        # This client sends no adapter to wavespeed.
        draws(answer, "a dog" if backend == "wavespeed" else f"a dog\nlora: {path}", 7)
    else:
        # One pixel does not hold the card: what is left is its size, and what stands beside the pixels.
        expected = f"make it red\ninput: {fnv(INPUT):016x}".encode()
        assert b"Description\0" + expected in answer, answer[:200]
