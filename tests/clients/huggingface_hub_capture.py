"""Writes down what the official Python client sends for the fixed calls, one file per backend and call.

Those of chat stand in the folder itself, those of all other tasks in its folder `tasks`.

Usage: huggingface_hub_capture.py http://127.0.0.1:PORT [FOLDER]. The folder is crates/providers/tests/captured/python if left
out. Secrets, addresses and versions do not get into the files, so that a second run changes nothing unless the client did.
"""
import json
import pathlib
import sys

import huggingface_hub_media as media
from huggingface_hub_calls import CALLS, MODEL, NAME, SANDBOX, VERSION, call, chat_backends, last_chat, sandbox

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


def body_of(entry):
    """A body as a fixture: JSON as it is, a form by its parts, bytes by what they are."""
    if "parts" in entry:
        return {"multipart": entry["parts"]}
    if "members" in entry:
        # This client writes the Hub's address into bodies, and here that is the sandbox's.
        return json.loads(entry["body"].replace(SANDBOX, "https://huggingface.co"))
    if not entry["body_bytes"]:
        return None
    return {"bytes": entry["body_bytes"], "hash": entry["body_hash"], "kind": entry["body_kind"]}


def request_of(entry, backend, direct):
    prefix = f"/direct/{backend}" if direct else f"/{backend}"
    target = entry["target"].removeprefix("/direct/fal-ai-queue").removeprefix(prefix)
    headers = {key: value for key, value in entry["headers"] if key not in LEFT_OUT}
    if "authorization" in headers:
        scheme = headers["authorization"].split(" ")[0]
        headers["authorization"] = f"{scheme} <key>" if direct else f"{scheme} <hf token>"
    if "boundary=" in headers.get("content-type", ""):
        headers["content-type"] = "multipart/form-data; boundary=<boundary>"
    return {"method": entry["method"], "path": target, "headers": dict(sorted(headers.items())), "body": body_of(entry)}


def exchanged(backend, name, direct):
    """All requests of one call: the first one, and under `then` its polls, its result, and what it fetches."""
    for room in ("journal", "jobs"):
        sandbox("DELETE", f"/_sandbox/{room}")
    media.call(backend, name, direct=direct)
    first, *then = media.made(sandbox("GET", "/_sandbox/journal"))
    queue = {"queue": True} if "/fal-ai-queue/" in first["target"] else {}
    return request_of(first, backend, direct) | queue | {"then": [request_of(entry, backend, direct) for entry in then]}


def media_files():
    """The files of every task but chat; how many."""
    count = 0
    sandbox("POST", "/_sandbox/settings", {"queue_polls": 0})
    for name in media.TASKS:
        for backend in media.backends(name):
            fixture = {
                "client": f"{NAME} {VERSION}",
                "backend": backend,
                "call": name,
                "hub_model": media.MODELS[name],
                "asked": media.ASKED[name],
                "routed": exchanged(backend, name, False),
                "direct": None if backend == "hf-inference" else exchanged(backend, name, True),
            }
            (FOLDER / "tasks" / f"{backend}.{name}.json").write_text(json.dumps(fixture, indent=2, ensure_ascii=False) + "\n")
            count += 1
    return count


def main():
    (FOLDER / "tasks").mkdir(parents=True, exist_ok=True)
    sandbox("DELETE", "/_sandbox/faults")
    sandbox("DELETE", "/_sandbox/settings")
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
    count += media_files()
    sandbox("DELETE", "/_sandbox/settings")
    print(f"{count} files in {FOLDER}")


main()
