"""Instructions of the hottest steps, counted under valgrind: the same on a busy machine, so that a step that became dearer shows.

What was counted last lies in bench/counts.json, for each toolchain. `bench/run --bless` counts anew and stores that."""
import json
import os
import re

from . import install, places, shell
from .checks import cargo
from .outcome import Counts, Failed

STORE = places.ROOT / "bench" / "counts.json"
# Who does the steps: the crate, and its example.
PROGRAMS = [("wire", "count"), ("policy", "count_plan")]
# How far a count may be from the stored one.
TOLERANCE = 0.03
FEW, MANY = 100, 600
BLESS = "If that is meant, run `bench/run --bless` and commit bench/counts.json with the reason."


def check() -> Counts:
    toolchain, counted = count()
    stored = json.loads(STORE.read_text()).get(toolchain) if STORE.exists() else None
    if stored is None:
        raise Failed(f"nothing is stored for {toolchain} in bench/counts.json. {BLESS}")
    off = []
    for name, now in counted.items():
        before = stored.get(name)
        change = None if before is None else now / before - 1
        print(f"      {name:<38} {now:>9,} instructions" + ("" if change is None else f"  {change:+.1%}"))
        if change is None or abs(change) > TOLERANCE:
            off.append(f"{name}: {now:,}, stored is {before if before is None else format(before, ',')}")
    off += [f"{name} is stored and counted no more" for name in stored if name not in counted]
    if off:
        raise Failed(f"more than {TOLERANCE:.0%} off: {'; '.join(off)}. {BLESS}")
    return Counts(len(counted))


def bless() -> None:
    """Stores what is counted now."""
    toolchain, counted = count()
    stored = json.loads(STORE.read_text()) if STORE.exists() else {}
    for name, now in counted.items():
        before = stored.get(toolchain, {}).get(name)
        print(f"{name:<38} {now:>9,}" + (f"  was {before:,}" if before else ""))
    stored[toolchain] = counted
    STORE.write_text(json.dumps(stored, indent=1, sort_keys=True) + "\n")


def count() -> tuple:
    """The toolchain, and instructions per step: two runs of different length, the difference divided."""
    valgrind = install.debian_program("valgrind", ["valgrind"])
    # Unpacked, it looks for its tools where it is not installed.
    tools = next(places.CACHE.glob("debian/valgrind/usr/libexec/valgrind"), None)
    env = places.environment() | ({"VALGRIND_LIB": str(tools)} if tools else {})
    counted = {}
    for package, example in PROGRAMS:
        # One unit, so that what is inlined does not depend on how the crate is cut into pieces.
        cargo("count-build", "build", "--release", "--locked", "--package", package, "--example", example,
              "--config", "profile.release.codegen-units=1")
        program = places.TARGET / "release" / "examples" / example
        names = shell.run("count-list", [program, "list"], env=env).split("\n")
        for name in filter(None, map(str.strip, names)):
            few, many = (_instructions(valgrind, program, name, times, env) for times in (FEW, MANY))
            counted[name] = round((many - few) / (MANY - FEW))
    version = shell.run("rustc-version", ["rustc", "-vV"], env=env)
    release, host = (re.search(rf"^{key}: (\S+)", version, re.M).group(1) for key in ("release", "host"))
    return f"rustc {release} {host}", counted


def _instructions(valgrind: list, program, name: str, times: int, env: dict) -> int:
    command = [*valgrind, "--tool=callgrind", f"--callgrind-out-file={os.devnull}", str(program), name, str(times)]
    said = shell.run("count", command, env=env, limit=600)
    hit = re.search(r"Collected : (\d+)", said)
    if not hit:
        raise Failed(f"valgrind counted nothing: {said[-300:]}")
    return int(hit.group(1))
