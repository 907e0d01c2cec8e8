"""Builds Ironbow as it is published: linked as one, and laid out by what a first build of it was seen to do under mixed traffic.

The traffic comes from here and goes to the sandbox: every door, whole and streamed, short prompts and long ones, prose and code, kept
and new connections, faults. Nothing of it is the benchmark's. Without an `llvm-profdata` of the compiler's own LLVM the program is linked as
one only, and the build says so."""
import contextlib
import http.client
import json
import pathlib
import random
import re
import shutil
import subprocess
import threading
import time
import urllib.parse

from . import install, places, servers, shell, soak
from .outcome import Failed, Skip

# Finished programs lie here, whatever a build beside them does.
PUBLISHED = places.TARGET / "published"
SECONDS = 20
CALLERS = 4
MODEL = "huggingface/groq/sandbox/everywhere"
PROSE = "The committee met twice in March; \"nothing was decided\", as the minutes say, and the caf\u00e9 downstairs closed at six.\n"
CODE = "def read(path: str) -> dict:\n\twith open(path, \"rb\") as file:\n\t\treturn json.loads(file.read().decode(\"utf-8\") or '{\"a\": \"\\\\n\"}')\n"


def build(trained: bool = True) -> pathlib.Path:
    """Builds, and gives the path of the finished program."""
    merge = _profdata() if trained else None
    if merge is None:
        return _finish(_cargo("dist", "", places.TARGET))
    work = places.TARGET / "training"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    watched = _cargo("dist-watched", f"-Cprofile-generate={work / 'unused'}", places.TARGET / "watched")
    _train(watched, work)
    profile = work / "ironbow.profdata"
    shell.run("profdata", [*merge, "merge", "-o", profile, *work.glob("gateway-*.profraw")], limit=300)
    return _finish(_cargo("dist-trained", f"-Cprofile-use={profile}", places.TARGET / "trained"))


def _finish(program: pathlib.Path) -> pathlib.Path:
    PUBLISHED.mkdir(parents=True, exist_ok=True)
    shutil.copy2(program, PUBLISHED / "ironbow")
    return PUBLISHED / "ironbow"


def _compiler() -> tuple:
    said = subprocess.run(["rustc", "-vV"], capture_output=True, text=True, cwd=places.ROOT, check=True, timeout=60).stdout
    return re.search(r"^host: (\S+)", said, re.M)[1], re.search(r"^LLVM version: (\d+)", said, re.M)[1]


def _profdata():
    """The command that merges profiles: the toolchain's own, or Debian's of the same LLVM; `None` if there is none."""
    host, llvm = _compiler()
    root = subprocess.run(["rustc", "--print", "sysroot"], capture_output=True, text=True, cwd=places.ROOT, check=True, timeout=60).stdout.strip()
    own = pathlib.Path(root) / "lib" / "rustlib" / host / "bin" / "llvm-profdata"
    if own.exists():
        return [own]
    try:
        # Only the unpacked one is asked for: what else is on the machine may be of another LLVM.
        return install.debian_unpacked("llvm-profdata", [f"llvm-{llvm}", f"libllvm{llvm}"], f"usr/lib/llvm-{llvm}/bin")
    except (Skip, Failed) as why:
        print(f"      linked as one only: no llvm-profdata of LLVM {llvm} ({why})")
        return None


def _cargo(name: str, flags: str, target: pathlib.Path) -> pathlib.Path:
    """Builds the `dist` profile with these flags for the program alone, not for what builds it."""
    host, _ = _compiler()
    env = places.environment() | {"CARGO_TARGET_DIR": str(target)}
    env["RUSTFLAGS"] = " ".join(filter(None, [env.get("RUSTFLAGS", ""), flags]))
    shell.run(name, ["cargo", "build", "--profile", "dist", "--locked", "--package", "ironbow", "--target", host], env=env, limit=3600)
    return target / host / "dist" / "ironbow"


def _train(program: pathlib.Path, work: pathlib.Path) -> None:
    """Lets the watched program serve mixed traffic, and end by itself: it writes down what it saw when it ends."""
    url = f"http://127.0.0.1:{servers.free_port()}"
    apart = places.environment() | {"LLVM_PROFILE_FILE": str(work / "sandbox-%p.profraw")}
    listening = [program, "sandbox", "--listen", url.removeprefix("http://")]
    with servers.started("training-sandbox", listening, lambda _log: servers.get(url + "/_sandbox/")[0] == 200, env=apart):
        upstream = {"HF_ENDPOINT": url, "HF_ROUTER_URL": url, "HF_TOKEN": "hf_sandbox", "LLVM_PROFILE_FILE": str(work / "gateway-%p.profraw")}
        with servers.gateway("training-gateway", (), upstream, binary=program) as gateway:
            soak.traffic(gateway, url, SECONDS / 4)
            odd: list = []
            callers = [threading.Thread(target=_caller, args=(gateway.url, n, odd), daemon=True) for n in range(CALLERS)]
            for caller in callers:
                caller.start()
            for caller in callers:
                caller.join(SECONDS + 60)
    if odd:
        raise Failed(f"{len(odd)} calls failed, the first: {odd[0]}")
    if not list(work.glob("gateway-*.profraw")):
        raise Failed("the watched program wrote nothing down")


def _caller(url: str, number: int, odd: list) -> None:
    """One caller with a connection that it keeps, as SDKs do."""
    rnd, until = random.Random(number), time.monotonic() + SECONDS
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=30)
    with contextlib.closing(connection):
        while time.monotonic() < until and not odd:
            path, body = _call(rnd)
            connection.request("POST", path, json.dumps(body, ensure_ascii=rnd.random() < 0.5).encode(), {
                "content-type": "application/json", "authorization": "Bearer sk-training", "user-agent": "training/1.0",
                "accept": "application/json", "x-stainless-lang": "python",
            })
            reply = connection.getresponse()
            text = reply.read()
            if reply.status != 200:
                odd.append(f"{path}: {reply.status} {text[:300]!r}")


def _call(rnd: random.Random) -> tuple:
    words = rnd.choice([PROSE, PROSE, CODE]) * rnd.choice([1, 1, 1, 1, 4, 40, 400])
    said = [{"role": "system", "content": "Answer in one sentence."}, {"role": "user", "content": words}]
    stream = rnd.random() < 0.3
    kind = rnd.random()
    if kind < 0.6:
        more: dict = {"stream_options": {"include_usage": True}} if stream else {"temperature": 0.2, "max_tokens": 64}
        if rnd.random() < 0.2:
            more["tools"] = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {"what": {"type": "string"}}}}}]
        return "/v1/chat/completions", {"model": MODEL, "messages": said, "stream": stream} | more
    if kind < 0.75:
        return "/v1/embeddings", {"model": "huggingface/scaleway/sandbox/embeds", "input": [words[:400]] * rnd.choice([1, 4])}
    if kind < 0.9:
        return "/anthropic/v1/messages", {"model": MODEL, "max_tokens": 64, "messages": said[1:], "stream": stream}
    return "/v1/responses", {"model": MODEL, "input": words, "store": False, "stream": stream}
