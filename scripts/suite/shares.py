"""One of three backends becomes two seconds slower, and well again: its share goes, and comes back; nobody sees an error."""
import contextlib
import http.client
import json
import threading
import time
import urllib.parse
import urllib.request

from . import process, servers
from .checks import released
from .outcome import Counts, Failed

BACKENDS = ["groq", "together", "cerebras"]
CALLERS, PAUSE, USUAL_MS = 16, 0.01, 200
# How long a share is watched, and how long it may take to go and to come back.
WINDOW, GONE_WITHIN, BACK_WITHIN = 2, 10, 30


def move() -> Counts:
    process.available()
    released()
    targets = [f"huggingface/{backend}/sandbox/everywhere" for backend in BACKENDS]
    with servers.sandbox("sandbox-shares") as sandbox:
        upstream = {"HF_ENDPOINT": sandbox, "HF_ROUTER_URL": sandbox, "HF_TOKEN": "hf_sandbox"}
        upstream["IRONBOW_ALIASES"] = json.dumps({"even": {"targets": targets}})
        with servers.gateway("gateway-shares", (), upstream) as gateway, traffic(gateway.url) as failures:
            usual = {"match": {"area": "routed"}, "delay_ms": USUAL_MS, "fault": {"kind": "delay"}}
            slower = {"match": {"backend": BACKENDS[0]}, "delay_ms": USUAL_MS + 2000, "fault": {"kind": "delay"}}
            faults(sandbox, usual)
            time.sleep(WINDOW)
            before = share(sandbox)
            faults(sandbox, slower, usual)
            slow, after = until(sandbox, GONE_WITHIN, lambda part: part < 0.10)
            faults(sandbox, usual)
            well, again = until(sandbox, BACK_WITHIN, lambda part: part > 0.25)
    shown = ", ".join(f"{what} {part:.0%}" for what, part in [("before", before), ("slow", slow), ("well again", well)])
    print(f"      share of the slow backend: {shown}; gone after {after:.0f} s, back after {again:.0f} s")
    if failures:
        raise Failed(f"{len(failures)} calls failed, the first: {failures[0]}")
    if slow >= 0.10:
        raise Failed(f"the slow backend kept {slow:.0%} of the calls")
    if well <= 0.25:
        raise Failed(f"the backend got only {well:.0%} of the calls back")
    return Counts(3)


@contextlib.contextmanager
def traffic(url: str):
    """Calls all the while; what was wrong with any."""
    over, failures = threading.Event(), []

    def caller() -> None:
        while not over.is_set():
            wrong = call(url)
            if wrong:
                failures.append(wrong)
            time.sleep(PAUSE)

    threads = [threading.Thread(target=caller, daemon=True) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    try:
        yield failures
    finally:
        over.set()
        for thread in threads:
            thread.join(30)


def call(url: str):
    body = json.dumps({"model": "even", "stream": True, "messages": [{"role": "user", "content": "hi"}]})
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=30)
    with contextlib.closing(connection):
        connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
        reply = connection.getresponse()
        text = reply.read().decode()
    return None if reply.status == 200 else f"{reply.status} {text[:200]}"


def share(sandbox: str) -> float:
    """Which part of the calls reached the first backend, over one window."""
    ask("DELETE", f"{sandbox}/_sandbox/journal")
    time.sleep(WINDOW)
    seen = json.loads(servers.get(f"{sandbox}/_sandbox/journal", 30)[1])
    chats = [entry["backend"] for entry in seen if entry.get("operation") == "chat"]
    return chats.count(BACKENDS[0]) / max(len(chats), 1)


def until(sandbox: str, limit: float, good) -> tuple:
    """The first share that is good, or the last that was seen; and when."""
    began = time.monotonic()
    while True:
        part = share(sandbox)
        took = time.monotonic() - began
        if good(part) or took >= limit:
            return part, took


def faults(sandbox: str, *rules) -> None:
    ask("DELETE", f"{sandbox}/_sandbox/faults")
    ask("POST", f"{sandbox}/_sandbox/faults", list(rules))


def ask(method: str, url: str, body=None) -> None:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"}, method=method)
    urllib.request.urlopen(request, timeout=30).read()
