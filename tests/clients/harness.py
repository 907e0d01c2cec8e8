"""The few lines that every Python client script shares: named checks, the two addresses, faults on demand."""
import asyncio
import inspect
import json
import os
import sys
import traceback
import urllib.request

GATEWAY = os.environ.get("IRONBOW_URL", "http://127.0.0.1:8080").rstrip("/")
SANDBOX = os.environ.get("SANDBOX_URL", "").rstrip("/")

_checks = []

# Where every answer that the SDK reads is written down, to be held against OpenAI's description: see tests/openapi.
RECORDS = os.environ.get("IRONBOW_RECORDS")


def record_answers() -> None:
    """From now on, what an SDK reads over httpx2 is written down."""
    import httpx2 as httpx

    def note(response, pieces, whole):
        url, kind = response.request.url, response.headers.get("content-type", "")
        if not str(url).startswith(GATEWAY) or not kind.startswith(("application/json", "text/event-stream")):
            return
        row = {
            "method": response.request.method, "path": url.raw_path.decode(), "status": response.status_code, "type": kind,
            "text": b"".join(pieces).decode(errors="replace"), "whole": whole,
        }
        with open(RECORDS, "a", encoding="utf-8") as out:
            out.write(json.dumps(row) + "\n")

    plain, parallel = httpx.Response.iter_raw, httpx.Response.aiter_raw

    def iter_raw(self, chunk_size=None):
        pieces, whole = [], False
        try:
            for piece in plain(self, chunk_size):
                pieces.append(piece)
                yield piece
            whole = True
        finally:
            note(self, pieces, whole)

    async def aiter_raw(self, chunk_size=None):
        pieces, whole = [], False
        try:
            async for piece in parallel(self, chunk_size):
                pieces.append(piece)
                yield piece
            whole = True
        finally:
            note(self, pieces, whole)

    httpx.Response.iter_raw, httpx.Response.aiter_raw = iter_raw, aiter_raw


if RECORDS:
    record_answers()


def check(function):
    """Marks a function (plain or async) as one check; its name says what is true when it passes."""
    _checks.append(function)
    return function


def main(prepare=lambda: None) -> None:
    """Runs every check, prints what failed and why, and closes with the counts; `prepare` runs before each."""
    failed = 0
    for function in _checks:
        start_afresh()
        prepare()
        try:
            result = function()
            if inspect.isawaitable(result):
                asyncio.run(asyncio.wait_for(result, 60))
        except Exception:
            failed += 1
            print(f"FAILED {function.__name__}")
            traceback.print_exc(file=sys.stdout)
    start_afresh()
    # What a client printed last may not have ended its line.
    print(f"\n{len(_checks) - failed} passed, {failed} failed")
    sys.exit(1 if failed or not _checks else 0)


def same(left, right, what="values"):
    """Fails with both sides shown."""
    assert left == right, f"{what} differ:\n  {left!r}\n  {right!r}"


def raises(expected, action):
    """The error that `action` must raise, of exactly this class."""
    try:
        action()
    except expected as error:
        assert type(error) is expected, f"{type(error).__name__} instead of {expected.__name__}: {error}"
        return error
    raise AssertionError(f"no {expected.__name__} was raised")


def fault(times=1, operation="chat", **what) -> None:
    """Asks the sandbox to misbehave at the next such call; see docs/sandbox.md for the kinds of faults and their members."""
    _sandbox("POST", "/_sandbox/faults", {"match": {"operation": operation}, "times": times, "fault": what})


def start_afresh() -> None:
    """The sandbox behaves again, and forgets what it was asked."""
    if SANDBOX:
        for room in ("faults", "settings", "journal"):
            _sandbox("DELETE", "/_sandbox/" + room)


def settings(**what) -> None:
    """Changes how the sandbox answers until it is changed back; see docs/sandbox.md."""
    _sandbox("POST", "/_sandbox/settings", what)


def chats() -> list:
    """The chats that the sandbox was asked for since this check began, oldest first."""
    return asked("chat")


def asked(*operations) -> list:
    """The requests of these operations that the sandbox got since this check began, oldest first."""
    return [entry for entry in _sandbox("GET", "/_sandbox/journal") if entry.get("operation") in operations]


def _sandbox(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(SANDBOX + path, data, {"content-type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=10) as reply:
        text = reply.read()
    return json.loads(text) if text else None
