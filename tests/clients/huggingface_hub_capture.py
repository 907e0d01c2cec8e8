"""Writes down what the official Python client sends for the fixed calls, one file per backend and call.

Usage: huggingface_hub_capture.py http://127.0.0.1:PORT [FOLDER]. The folder is crates/providers/tests/captured/python if left
out. Secrets, addresses and versions do not get into the files, so that a second run changes nothing unless the client did.
"""
import json
import pathlib
import sys

from huggingface_hub_calls import CALLS, MODEL, NAME, VERSION, call, chat_backends, last_chat, sandbox

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FOLDER = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT / "crates/providers/tests/captured/python"
# These change from run to run, or are the transport's and not the call's.
LEFT_OUT = {"host", "user-agent", "content-length", "connection", "accept-encoding", "x-amzn-trace-id"}


def sent(backend, name, direct):
    """The one chat request that a call makes, as a fixture."""
    sandbox("DELETE", "/_sandbox/journal")
    call(backend, name, direct=direct)
    entry = last_chat()
    prefix = f"/direct/{backend}" if direct else ("" if backend == "auto" else f"/{backend}")
    headers = {key: value for key, value in entry["headers"] if key not in LEFT_OUT}
    headers["authorization"] = "Bearer <key>" if direct else "Bearer <hf token>"
    assert entry["target"].startswith(prefix), entry["target"]
    return {
        "method": entry["method"],
        "path": entry["target"][len(prefix):],
        "headers": dict(sorted(headers.items())),
        "body": json.loads(entry["body"]),
    }


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    sandbox("DELETE", "/_sandbox/faults")
    sandbox("POST", "/_sandbox/settings", {"lenient_schema": True})
    count = 0
    for backend in [*chat_backends(), "auto"]:
        for name in CALLS:
            routed = None if backend == "openai" else sent(backend, name, False)
            direct = None if backend in ("hf-inference", "auto") else sent(backend, name, True)
            fixture = {
                "client": f"{NAME} {VERSION}",
                "backend": backend,
                "call": name,
                "hub_model": "gpt-4o-mini" if backend == "openai" else MODEL,
                "asked": CALLS[name],
                "routed": routed,
                "direct": direct,
            }
            (FOLDER / f"{backend}.{name}.json").write_text(json.dumps(fixture, indent=2, ensure_ascii=False) + "\n")
            count += 1
    sandbox("DELETE", "/_sandbox/settings")
    print(f"{count} files in {FOLDER}")


main()
