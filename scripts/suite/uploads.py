"""Uploads, with the sandbox as a process of its own: what the gateway holds is the gateway's alone."""
import json
import tempfile

from . import install, places, process, servers, shell
from .checks import released
from .outcome import Counts, of_script


def of_every_kind() -> Counts:
    process.available()
    released()
    client = install.python_with(places.CLIENTS / "requirements.txt")
    with servers.sandbox("sandbox-uploads") as sandbox:
        own = {"own": {"url": f"{sandbox}/custom/vllm/v1", "dialect": "vllm"}}
        upstream = {"HF_ENDPOINT": sandbox, "HF_ROUTER_URL": sandbox, "HF_TOKEN": "hf_sandbox", "IRONBOW_SERVERS": json.dumps(own)}
        with tempfile.TemporaryDirectory() as temporary, servers.gateway("gateway-uploads", (), upstream | {"TMPDIR": temporary}) as gateway:
            env = gateway.environment() | {"SANDBOX_URL": sandbox, "TEMPORARY": temporary}
            return of_script(shell.run("client-uploads", [client, places.CLIENTS / "uploads.py"], env=env, limit=300))
