"""Mixed traffic for a while: whole answers, streams, callers who leave, backends that fail. Afterwards the process must be
alive, hold what it held before, and have logged no panic."""
import contextlib
import http.client
import json
import random
import threading
import time
import urllib.parse

from . import places, process, servers, shell
from .checks import released
from .outcome import Counts, Failed

CALLERS = 8
# What allocators and pools may keep beyond the first minute's level.
GROWTH_KIB = 24 * 1024
FILES_LEFT = 16
MODELS = [
    "huggingface/groq/sandbox/everywhere",
    "huggingface/cerebras/sandbox/everywhere",
    "huggingface/together/sandbox/everywhere",
    "huggingface/auto/meta-llama/Llama-3.1-8B-Instruct",
    "huggingface/auto/nobody/has-this",
]


def soak(seconds: int):
    """A check that runs the traffic for this long."""

    def check() -> Counts:
        process.available()
        released()
        name = f"soak-{seconds}"
        with servers.gateway(name) as gateway:
            pid = gateway.process.pid
            traffic(gateway, max(seconds // 6, 5))
            memory, files = process.resident_kib(pid), settled_files(pid)
            done, odd = traffic(gateway, seconds)
            grown = process.resident_kib(pid) - memory
            left = settled_files(pid) - files
            healthy = servers.get(gateway.url + "/health")[0] == 200
        log = (places.LOGS / f"{name}.log").read_text(errors="replace")
        print(f"      {done} calls; memory grew by {grown / 1024:.1f} MiB, open files by {left}")
        judge(healthy, grown, left, odd, log)
        return Counts(4)

    return check


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


def traffic(gateway, seconds: float) -> tuple:
    """Calls from several threads until the time is up: how many, and which answers were wrong."""
    until, done, odd = time.monotonic() + seconds, [0] * CALLERS, []

    def caller(index: int) -> None:
        rnd = random.Random(index)
        while time.monotonic() < until and len(odd) < 20:
            wrong = one_call(gateway.url, rnd)
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


def one_call(url: str, rnd: random.Random):
    """One call of a random kind; what was wrong with its answer, if anything."""
    model, stream = rnd.choice(MODELS), rnd.random() < 0.5
    words = "word " * rnd.choice([1, 20, 2000])
    body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": words}]}
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=30)
    with contextlib.closing(connection):
        try:
            connection.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json"})
            reply = connection.getresponse()
            if stream and rnd.random() < 0.3:
                reply.read(1)
                return None
            text = reply.read().decode()
        except (OSError, http.client.HTTPException) as error:
            return f"{model}: {error!r}"
    expected = 404 if "nobody" in model else 200
    if reply.status != expected:
        return f"{model}: {reply.status} {text[:200]}"
    if expected == 200 and (not text.rstrip().endswith("[DONE]") if stream else "choices" not in text):
        return f"{model}: the answer is not whole: {text[-200:]}"
    return None
