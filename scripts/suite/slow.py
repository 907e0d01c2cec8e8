"""Two hundred callers who read almost nothing of fifty megabytes each: the backend must wait, and the gateway hold little."""
import json
import socket
import time
import urllib.parse
import urllib.request

from . import process, servers
from .checks import released
from .outcome import Counts, Failed

CALLERS = 200
CHUNKS, CHUNK_BYTES = 4000, 12_500
SECONDS = 5
# What all of them together may cost, and one of them.
GROWTH_KIB = 100 * 1024
PER_CALLER_KIB = 256


def readers() -> Counts:
    process.available()
    released()
    with servers.sandbox("sandbox-slow") as sandbox:
        post(f"{sandbox}/_sandbox/settings", {"chunks": CHUNKS, "chunk_bytes": CHUNK_BYTES})
        upstream = {"HF_ENDPOINT": sandbox, "HF_ROUTER_URL": sandbox, "HF_TOKEN": "hf_sandbox"}
        with servers.gateway("gateway-slow", (), upstream) as gateway:
            before = process.resident_kib(gateway.process.pid)
            callers = [begin(gateway.url) for _ in range(CALLERS)]
            for _ in range(SECONDS):
                for caller in callers:
                    if not caller.recv(1024):
                        raise Failed("a stream ended before it was read")
                time.sleep(1)
            grown = process.resident_kib(gateway.process.pid) - before
            sent = json.loads(servers.get(f"{sandbox}/_sandbox/journal", 30)[1])
            for caller in callers:
                caller.close()
    bytes_sent = [call["bytes_sent"] for call in sent if "chat/completions" in call["path"]]
    whole = sum(1 for n in bytes_sent if n >= CHUNKS * CHUNK_BYTES)
    print(f"      {CALLERS} slow readers: {grown / 1024:.1f} MiB more, {sum(bytes_sent) / 2**20 / len(bytes_sent):.1f} MiB of 50 sent on average")
    if len(bytes_sent) != CALLERS or whole:
        raise Failed(f"{whole} of {len(bytes_sent)} backends were not slowed down")
    if grown > min(GROWTH_KIB, CALLERS * PER_CALLER_KIB):
        raise Failed(f"{CALLERS} slow readers cost {grown / 1024:.1f} MiB")
    return Counts(2)


def begin(url: str) -> socket.socket:
    """A stream that has begun, at a caller who takes little."""
    at = urllib.parse.urlsplit(url)
    body = json.dumps({
        "model": "huggingface/novita/sandbox/everywhere", "stream": True, "messages": [{"role": "user", "content": "much"}],
    }).encode()
    caller = socket.socket()
    caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    caller.settimeout(60)
    caller.connect((at.hostname, at.port))
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: {at.netloc}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    caller.sendall(head.encode() + body)
    begun = caller.recv(64)
    if not begun.startswith(b"HTTP/1.1 200"):
        raise Failed(f"a stream did not begin: {begun!r}")
    return caller


def post(url: str, value) -> None:
    ask = urllib.request.Request(url, json.dumps(value).encode(), {"content-type": "application/json"})
    urllib.request.urlopen(ask, timeout=10).close()
