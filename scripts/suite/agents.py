"""Coding agents that do a task through the gateway: their own programs, unchanged, with a scripted model behind it."""
import json
import pathlib

from . import install, places, servers, shell
from .checks import released
from .outcome import Counts, of_script


# What this version of Codex asks for when it is told no model.
ALIASES = {"gpt-6.2-sol": "huggingface/groq/meta-llama/Llama-3.1-8B-Instruct"}


def programs() -> pathlib.Path:
    """The folder with the agents' programs. Claude Code's own step of installation, which npm is told not to run, only puts its program in place."""
    packages = install.node_packages(places.CLIENTS / "agents") / "node_modules"
    shell.run("claude-code-install", ["node", packages / "@anthropic-ai" / "claude-code" / "install.cjs"], limit=120)
    return packages / ".bin"


def codex() -> Counts:
    """OpenAI's Codex, by Responses: `codex exec` with the gateway as its model provider."""
    return _agent("codex", "CODEX")


def claude_code() -> Counts:
    """Anthropic's Claude Code, by messages: `claude -p` with the gateway as its base URL."""
    return _agent("claude", "CLAUDE_CODE", script="claude_code_agent.py", limit=900)


def _agent(program: str, variable: str, script: str = "codex_agent.py", limit: int = 300) -> Counts:
    released()
    path = programs() / program
    with servers.gateway(f"gateway-{program}", extra_env={"IRONBOW_ALIASES": json.dumps(ALIASES)}) as gateway:
        env = gateway.environment() | {variable: str(path)}
        return of_script(shell.run(f"client-{program}", ["python3", places.CLIENTS / script], env=env, limit=limit))
