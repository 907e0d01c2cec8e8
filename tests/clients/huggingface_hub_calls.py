"""The official Python client pointed at the sandbox, and the fixed calls that are checked and captured.

The Hub's address is a setting of that client (HF_ENDPOINT, read when it is imported); the router's and the backends' own
addresses are constants, which are replaced here.
"""
import importlib.metadata
import json
import os
import sys
import urllib.parse
import urllib.request

SANDBOX = (sys.argv[1] if len(sys.argv) > 1 else os.environ.get("SANDBOX_URL", "")).rstrip("/")
if not SANDBOX:
    sys.exit("usage: the sandbox's address as the first argument, or in SANDBOX_URL")
# What stands where Hugging Face's router is: the sandbox, or a gateway that passes everything on to it.
ROUTER = os.environ.get("ROUTER_URL", "").rstrip("/") or SANDBOX

os.environ["HF_ENDPOINT"] = SANDBOX
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ.pop("HF_TOKEN", None)

from huggingface_hub import InferenceClient, constants
from huggingface_hub.inference import _providers
from huggingface_hub.inference._providers import _common, hf_inference

NAME = "huggingface_hub"
VERSION = importlib.metadata.version("huggingface_hub")
TOKEN = "hf_sandbox"
MODEL = "sandbox/everywhere"

constants.INFERENCE_PROXY_TEMPLATE = ROUTER + "/{provider}"
for _backend, _tasks in _providers.PROVIDERS.items():
    for _helper in _tasks.values():
        # hf-inference has no address of its own: it is the router's.
        _helper.base_url = f"{ROUTER}/hf-inference" if _backend == "hf-inference" else f"{SANDBOX}/direct/{_backend}"
_providers.CONVERSATIONAL_AUTO_ROUTER.base_url = ROUTER

PICTURE = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather in a city",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
                "required": ["city"],
            },
        },
    }
]
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


def asks(text):
    return {"messages": [{"role": "system", "content": "You are brief."}, {"role": "user", "content": text}]}


CALLS = {
    "plain": asks("hello there") | {"max_tokens": 50, "temperature": 0.5, "top_p": 0.9, "seed": 1, "stop": ["END"]},
    "stream": asks("hello there") | {"stream": True, "stream_options": {"include_usage": True}},
    "tools": asks("call the weather") | {"tools": TOOLS, "tool_choice": "auto"},
    "json_schema": asks("who")
    | {"response_format": {"type": "json_schema", "json_schema": {"name": "person", "schema": SCHEMA, "strict": True}}},
    "vision": {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "what is this"},
                    {"type": "image_url", "image_url": {"url": PICTURE}},
                ],
            }
        ]
    },
}


def sandbox(method, path, body=None):
    """One of the sandbox's own paths."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(SANDBOX + path, data, {"content-type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=10) as reply:
        return json.loads(reply.read())


def chat_backends():
    """Every backend that this client can chat through; `openai` only with its own key."""
    return [name for name, tasks in _providers.PROVIDERS.items() if "conversational" in tasks]


def client(backend, *, direct=False, model=MODEL):
    """The client for one backend, routed or with the backend's own key."""
    _common._fetch_inference_provider_mapping.cache_clear()
    hf_inference._check_supported_task.cache_clear()
    key = f"key-{backend}" if direct else TOKEN
    if backend == "openai":
        model = "gpt-4o-mini"
    return InferenceClient(provider=backend, api_key=key, model=model, timeout=20)


def call(backend, name, *, direct=False):
    """Makes one of the calls; a stream is read to its end and handed out as a list."""
    # The client is kept while its stream is read: it closes its connections when it goes.
    caller = client(backend, direct=direct)
    answer = caller.chat_completion(**CALLS[name])
    return list(answer) if CALLS[name].get("stream") else answer


def last_chat():
    """The journal's last chat request."""
    return [entry for entry in sandbox("GET", "/_sandbox/journal") if entry["operation"] == "chat"][-1]


def path_of(entry):
    return urllib.parse.urlsplit(entry["target"]).path
