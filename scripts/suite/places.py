"""Where things are: the clone, the cache folder outside of it, and the environment that every command gets."""
import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLIENTS = ROOT / "tests" / "clients"
# Short recordings in every format that people send.
SOUNDS = ROOT / "crates" / "media" / "tests" / "sounds"

_cache_home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
CACHE = pathlib.Path(_cache_home) / "ironbow"
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or CACHE / "target")
LOGS = CACHE / "test-logs"
BINARY = TARGET / "release" / "ironbow"


# What the clients read for themselves.
_FOREIGN = (
    "ANTHROPIC_", "AZURE_", "CODEX_", "GEMINI_", "GOOGLE_", "HF_", "HUGGING", "IRONBOW_", "LANGCHAIN_", "LANGSMITH_", "LITELLM_", "OPENAI_",
)


def environment() -> dict:
    """The environment of every command: no token or address of the real service may leak into a test."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(_FOREIGN)}
    env["CARGO_TARGET_DIR"] = str(TARGET)
    env["CARGO_TERM_COLOR"] = "never"
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    env["NO_PROXY"] = env["no_proxy"] = "127.0.0.1,localhost"
    return env
