"""Mixed traffic for a while: whole answers, streams, other dialects, callers who leave, backends that fail in every way.
Afterwards the process must be alive, hold what it held before (memory, files, threads, requests in flight), and have logged no panic."""
import contextlib
import http.client
import json
import random
import re
import threading
import time
import urllib.parse

from . import places, process, servers
from .checks import released
from .outcome import Counts, Failed
from .slow import post

CALLERS = 8
# What allocators and pools may keep beyond the level after the first part.
GROWTH_KIB = 24 * 1024
FILES_LEFT = 16
MODELS = [
    "huggingface/groq/sandbox/everywhere",
    "huggingface/cerebras/sandbox/everywhere",
    "huggingface/together/sandbox/everywhere",
    "huggingface/auto/meta-llama/Llama-3.1-8B-Instruct",
    "huggingface/auto/nobody/has-this",
]
# Calls to this one meet faults, one kind after another.
FAULTY = "huggingface/novita/sandbox/everywhere"
FAULTY_THERE = "sandbox/everywhere-instruct"
FAULTS = [
    {"kind": "status", "status": 503},
    {"kind": "status", "status": 500},
    {"kind": "rate_limited"},
    {"kind": "reset", "after": 2},
    {"kind": "reset", "before_head": True},
    {"kind": "cut", "after": 1},
    {"kind": "close"},
    {"kind": "truncate", "after": 1, "mid_frame": True},
    {"kind": "stream_error", "after": 1},
    {"kind": "html", "status": 502},
    {"kind": "framing", "as": "bytes"},
    {"kind": "slow", "bytes": 40, "gap_ms": 1},
    {"kind": "huge", "status": 500, "bytes": 300000},
]


def soak(seconds: int):
    """A check that runs the traffic for this long."""

    def check() -> Counts:
        process.available()
        released()
        name = f"soak-{seconds}"
        with servers.sandbox(f"sandbox-{name}") as sandbox:
            upstream = {"HF_ENDPOINT": sandbox, "HF_ROUTER_URL": sandbox, "HF_TOKEN": "hf_sandbox"}
            with servers.gateway(name, (), upstream) as gateway:
                pid = gateway.process.pid
                traffic(gateway, sandbox, max(seconds // 6, 5))
                memory, files, threads = process.resident_kib(pid), settled_files(pid), count_threads(pid)
                done, odd = traffic(gateway, sandbox, seconds)
                grown = process.resident_kib(pid) - memory
                left = settled_files(pid) - files
                more = count_threads(pid) - threads
                status, page = servers.get(gateway.url + "/metrics")
                flying = float(re.search(r"^ironbow_requests_in_flight (\S+)", page, re.M).group(1)) if status == 200 else -1
                healthy = servers.get(gateway.url + "/health")[0] == 200
        log = (places.LOGS / f"{name}.log").read_text(errors="replace")
        print(f"      {done} calls; memory grew by {grown / 1024:.1f} MiB, open files by {left}, threads by {more}; {flying:.0f} in flight")
        # The scrape itself is in flight while it is answered.
        if flying > 1 or more > 2:
            odd.append(f"{flying:.0f} requests are still in flight, and there are {more} more threads")
        judge(healthy, grown, left, odd, log)
        return Counts(6)

    return check


def count_threads(pid: int) -> int:
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"Threads:\s+(\d+)", status.read()).group(1))


def judge(healthy: bool, grown: int, left: int, odd: list, log: str) -> None:
    if not healthy:
        raise Failed("it does not answer any more")
    if "panicked" in log:
        raise Failed("something panicked; see the log")
    if odd:
        raise Failed(f"{len(odd)} answers were not what was asked for, the first: {odd[0]}")
    if grown > GROWTH_KIB:
        raise Failed(f"memory grew by {grown / 1024:.1f} MiB")
    if left > FILES_LEFT:
        raise Failed(f"{left} more files are open than before")


def settled_files(pid: int) -> int:
    """Open files once connections of callers who left are gone."""
    least = process.open_files(pid)
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        time.sleep(0.1)
        least = min(least, process.open_files(pid))
    return least


def traffic(gateway, sandbox: str, seconds: float) -> tuple:
    """Calls from several threads until the time is up: how many, and which answers were wrong."""
    until, done, odd = time.monotonic() + seconds, [0] * CALLERS, []

    def caller(index: int) -> None:
        rnd = random.Random(index)
        while time.monotonic() < until and len(odd) < 20:
            # The first caller is the one whose backend fails.
            wrong = faulty_call(gateway.url, sandbox, rnd) if index == 0 else one_call(gateway.url, rnd)
            done[index] += 1
            if wrong:
                odd.append(wrong)

    threads = [threading.Thread(target=caller, args=(n,), daemon=True) for n in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds + 60)
        if thread.is_alive():
            odd.append("a call hangs")
    return sum(done), odd


def ask(url: str, path: str, body: dict, leave=False):
    """Status and text; nothing where the caller left after the first byte."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=30)
    with contextlib.closing(connection):
        connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
        reply = connection.getresponse()
        if leave:
            reply.read(1)
            return None
        return reply.status, reply.read().decode()


def one_call(url: str, rnd: random.Random):
    """One call of a random kind; what was wrong with its answer, if anything."""
    model, stream, words = rnd.choice(MODELS), rnd.random() < 0.5, "word " * rnd.choice([1, 20, 2000])
    said = [{"role": "user", "content": words}]
    path, body, end = rnd.choice([
        ("/v1/chat/completions", {"messages": said}, "[DONE]"),
        ("/v1/chat/completions", {"messages": said}, "[DONE]"),
        ("/anthropic/v1/messages", {"messages": said, "max_tokens": 50}, "message_stop"),
        ("/v1/responses", {"input": words, "store": False}, "response.completed"),
    ])
    try:
        answer = ask(url, path, {"model": model, "stream": stream, **body}, leave=stream and rnd.random() < 0.3)
    except (OSError, http.client.HTTPException) as error:
        return f"{path} {model}: {error!r}"
    if answer is None:
        return None
    status, text = answer
    expected = 404 if "nobody" in model else 200
    if status != expected:
        return f"{path} {model}: {status} {text[:200]}"
    if expected == 200 and (end not in text if stream else not text.rstrip().endswith("}")):
        return f"{path} {model}: the answer is not whole: {text[-200:]}"
    return None


def faulty_call(url: str, sandbox: str, rnd: random.Random):
    """One call to a backend that fails: the caller must get a good answer, an error that is one, or a stream that says how it broke."""
    fault, stream = rnd.choice(FAULTS), rnd.random() < 0.7
    # By the model's name there: calls that leave the choice to the gateway go to this backend too.
    rule = {"match": {"backend": "novita", "operation": "chat", "model": FAULTY_THERE}, "times": 1, "fault": fault}
    try:
        post(f"{sandbox}/_sandbox/faults", rule)
        status, text = ask(url, "/v1/chat/completions", {"model": FAULTY, "stream": stream, "messages": [{"role": "user", "content": "hello"}]})
    except (OSError, http.client.HTTPException) as error:
        return f"{fault}: {error!r}"
    if status == 200 and stream:
        return None if "[DONE]" in text or '"error"' in text else f"{fault}: the stream ends without a word: {text[-200:]}"
    try:
        said = json.loads(text)
    except ValueError:
        return f"{fault}: {status} {text[:200]}"
    return None if ("choices" in said if status == 200 else "error" in said) else f"{fault}: {status} {text[:200]}"
