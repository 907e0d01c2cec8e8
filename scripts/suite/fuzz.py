"""Coverage-guided fuzzing of everything that reads foreign bytes: the targets of `fuzz/`, each from the traffic that the tests keep."""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess

from . import places, shell
from .checks import cargo
from .outcome import Counts, Failed

SOURCE = places.ROOT / "fuzz"
# What libFuzzer needs to see where an input leads. They are stable flags; a target given by name keeps them off build scripts.
COVERAGE = " ".join([
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
])
MAX_BYTES = 8192
RECORDED = ["crates/wire/tests/recordings/*.json", "crates/providers/tests/captured/*/*.json"]
WRITTEN = ["crates/wire/tests/golden/*/*.request.json", "crates/wire/tests/golden/*/requests/*.json", "crates/wire/tests/golden/responses/calls/*.call.json"]


def fuzz(seconds: int):
    """A check that runs every target for this long. What a run learns is kept in the cache for the next one."""

    def check() -> Counts:
        program = build()
        work = places.CACHE / "fuzz"
        seeds = write_seeds(work / "seeds")
        names = re.findall(r'^    \("(\w+)", \w+::\w+\),$', (SOURCE / "src" / "main.rs").read_text(), re.M)
        if len(names) < 10:
            raise Failed("the targets were not found in fuzz/src/main.rs")
        with concurrent.futures.ThreadPoolExecutor(max(1, (os.cpu_count() or 2) // 2)) as pool:
            found = list(pool.map(lambda name: one(program, work, seeds, name, seconds), names))
        for line in filter(None, found):
            print(f"      {line}")
        if any(found):
            raise Failed(f"{len([line for line in found if line])} of {len(names)} targets found something", "")
        return Counts(len(names))

    return check


def build() -> pathlib.Path:
    host = re.search(r"host: (\S+)", subprocess.run(["rustc", "-vV"], capture_output=True, text=True, cwd=places.ROOT, check=True).stdout)[1]
    target = places.CACHE / "fuzz-target"
    env = places.environment() | {"RUSTFLAGS": COVERAGE, "CARGO_TARGET_DIR": str(target)}
    cargo("fuzz-build", "build", "--release", "--locked", "--target", host, cwd=SOURCE, env=env)
    return target / host / "release" / "fuzz"


def one(program, work, seeds, name: str, seconds: int):
    """One target; what it found, if anything."""
    corpus, findings = work / "corpus" / name, work / "findings"
    for folder in (corpus, findings):
        folder.mkdir(parents=True, exist_ok=True)
    command = [
        program, corpus, seeds, f"-max_total_time={seconds}", f"-max_len={MAX_BYTES}", "-timeout=10", "-rss_limit_mb=2048",
        "-print_final_stats=1", f"-artifact_prefix={findings}/{name}-",
    ]
    env = places.environment() | {"IRONBOW_FUZZ": name}
    try:
        said = shell.run(f"fuzz-{name}", command, env=env, limit=seconds + 300)
    except Failed as failed:
        written = re.search(r"Test unit written to (\S+)", failed.output)
        return f"{name}: {failed}; again with: IRONBOW_FUZZ={name} {program} {written[1] if written else ''}"
    if "INITED" not in said:
        return f"{name}: it did not start"
    executed = re.search(r"stat::number_of_executed_units: (\d+)", said)
    print(f"      {name}: {int(executed[1]) if executed else 0:,} inputs")
    return None


def write_seeds(folder: pathlib.Path) -> pathlib.Path:
    """Every body that the tests keep, as a file of its own: as it is, and behind one byte that chooses how it is read."""
    folder.mkdir(parents=True, exist_ok=True)
    for pattern in RECORDED:
        for path in places.ROOT.glob(pattern):
            exchange = json.loads(path.read_text())
            for body in bodies(exchange):
                write_seed(folder, body)
    for pattern in WRITTEN:
        for path in places.ROOT.glob(pattern):
            write_seed(folder, path.read_text())
    for path in places.ROOT.glob("*.example.toml"):
        write_seed(folder, path.read_text())
    return folder


def bodies(exchange) -> list:
    """The bodies of a recorded exchange, as they stood on the wire."""
    found = []
    for side in ("request", "response", "routed"):
        body = (exchange.get(side) or {}).get("body")
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        if isinstance(body, str):
            found.append(body)
    return found


def write_seed(folder: pathlib.Path, text: str) -> None:
    data = text.encode()[:MAX_BYTES - 1]
    for seed in (data, b"\x01" + data):
        (folder / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
