"""Coding agents that do a task through the gateway: their own programs, unchanged, with a scripted model behind it."""
from . import install, places, servers, shell
from .checks import released
from .outcome import Counts, of_script


def codex() -> Counts:
    """OpenAI's Codex, by Responses: `codex exec` with the gateway as its model provider."""
    released()
    program = install.node_packages(places.CLIENTS / "agents") / "node_modules" / ".bin" / "codex"
    with servers.gateway("gateway-codex") as gateway:
        env = gateway.environment() | {"CODEX": str(program)}
        return of_script(shell.run("client-codex", ["python3", places.CLIENTS / "codex_agent.py"], env=env, limit=300))
