"""A real inference engine behind the gateway: llama.cpp's own server with a small model, as a server that an operator declares."""
from . import install, places, servers, shell
from .checks import released
from .outcome import Counts, of_script


def engine() -> Counts:
    """Framing, usage, structured output and cancellation against an implementation that nobody here wrote."""
    released()
    python = install.python_with(places.CLIENTS / "requirements-engine.txt")
    client = install.python_with(places.CLIENTS / "requirements.txt")
    port = servers.free_port()
    url = f"http://127.0.0.1:{port}"
    folder = places.CACHE / "engine"
    folder.mkdir(parents=True, exist_ok=True)
    command = [python, places.CLIENTS / "engine.py", str(port), folder]
    # Loading the model takes ten seconds on two busy cores; unpacking it the first time takes longer.
    with servers.started("engine", command, lambda _log: servers.get(url + "/health")[0] == 200, limit=180):
        declared = {"IRONBOW_SERVERS": f'{{"engine": {{"url": "{url}/v1", "dialect": "llamacpp"}}}}'}
        with servers.gateway("gateway-engine", extra_env=declared) as gateway:
            output = shell.run("client-engine", [client, places.CLIENTS / "real_engine.py"], env=gateway.environment(), limit=900)
    return of_script(output)
