"""How much later the first token comes because the gateway is in the way: the same stream from the sandbox, directly and through."""
import http.client
import json
import statistics
import time
import urllib.parse

from . import servers
from .checks import released
from .outcome import Counts, Failed

MEDIAN_MS, P99_MS = 2.0, 10.0
ROUNDS, CALLS = 5, 200


def added() -> Counts:
    """The best round counts: a busy machine makes every one slower, and none faster."""
    released()
    with servers.sandbox("sandbox-latency") as sandbox:
        upstream = {"HF_ENDPOINT": sandbox, "HF_ROUTER_URL": sandbox, "HF_TOKEN": "hf_sandbox"}
        with servers.gateway("gateway-latency", (), upstream) as gateway:
            through = Caller(gateway.url, "/v1/chat/completions", "huggingface/groq/sandbox/everywhere")
            direct = Caller(sandbox, "/groq/openai/v1/chat/completions", "everywhere-instant")
            for caller in (through, direct):
                caller.first_token_ms()
            rounds = [one_round(direct, through) for _ in range(ROUNDS)]
    median, p99 = min(median for median, _ in rounds), min(p99 for _, p99 in rounds)
    print(f"      the first token comes {median:.2f} ms later in the middle, {p99:.2f} ms at the 99th of 100")
    if median > MEDIAN_MS or p99 > P99_MS:
        raise Failed(f"{median:.2f} ms in the middle and {p99:.2f} ms at the 99th; the promise is {MEDIAN_MS:g} and {P99_MS:g}")
    return Counts(2)


def one_round(direct, through) -> tuple:
    """Calls by turns: how much the median and the 99th hundredth differ, in milliseconds."""
    times = [(direct.first_token_ms(), through.first_token_ms()) for _ in range(CALLS)]
    alone, behind = (sorted(column) for column in zip(*times))
    last = CALLS * 99 // 100 - 1
    return statistics.median(behind) - statistics.median(alone), behind[last] - alone[last]


class Caller:
    """A caller who keeps its connection."""

    def __init__(self, url: str, path: str, model: str):
        self.connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=30)
        self.path = path
        self.body = json.dumps({"model": model, "stream": True, "messages": [{"role": "user", "content": "hello"}]})

    def first_token_ms(self) -> float:
        began = time.monotonic()
        headers = {"content-type": "application/json", "authorization": "Bearer hf_sandbox"}
        self.connection.request("POST", self.path, self.body, headers)
        reply = self.connection.getresponse()
        if reply.status != 200 or not reply.read(6).startswith(b"data:"):
            raise Failed(f"{self.path} answered {reply.status}: {reply.read(300)!r}")
        first = time.monotonic()
        reply.read()
        return (first - began) * 1000
