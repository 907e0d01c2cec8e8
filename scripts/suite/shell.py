"""Runs commands: output goes to a log file, a deadline ends them, and only processes started here are ever signalled."""
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

from . import places
from .outcome import Failed

SHOWN_LINES = 120


def run(name: str, command: list, *, cwd=None, env=None, limit=1800, stdin=subprocess.DEVNULL) -> str:
    """Runs one command to its end and returns what it printed; raises `Failed` with the end of the log if it did not pass."""
    places.LOGS.mkdir(parents=True, exist_ok=True)
    log = places.LOGS / f"{name}.log"
    with open(log, "wb") as out:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=cwd or places.ROOT,
            env=env or places.environment(),
            stdin=stdin,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            end_group(process)
            code = f"nothing within {limit} s"
        except BaseException:
            end_group(process)
            raise
    text = log.read_text(errors="replace")
    if code != 0:
        show_end(text, log)
        shown = " ".join(pathlib.Path(str(part)).name for part in command[:4])
        raise Failed(f"`{shown} …` ended with {code}", text)
    return text


def end_group(process: subprocess.Popen) -> None:
    """Ends a process that was started here, and its children: politely, then for good."""
    signal_group(process, signal.SIGTERM)
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        pass
    signal_group(process, signal.SIGKILL)
    process.wait(15)


def signal_group(process: subprocess.Popen, sign: signal.Signals) -> None:
    """Signals the process group that `start_new_session` gave this process; one that is gone is fine."""
    try:
        os.killpg(process.pid, sign)
    except (ProcessLookupError, PermissionError):
        pass


# What says nothing when something else failed.
_GOOD = re.compile(r"^(test .* \.\.\. ok|running \d+ tests?|\s*(Checking|Compiling|Documenting|Running|Doc-tests|Fresh) .*|)$")


def show_end(text: str, log) -> None:
    """Prints what a failed command said, less the lines about what went well."""
    lines = [line for line in text.splitlines() if not _GOOD.match(line)]
    print(f"      all of it: {log}")
    if len(lines) > SHOWN_LINES:
        print(f"      … {len(lines) - SHOWN_LINES} lines before these")
    for line in lines[-SHOWN_LINES:]:
        print("      " + line)
    sys.stdout.flush()


def until(condition, limit: float, what: str):
    """Polls `condition` until it returns something true; `Failed` after `limit` seconds."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise Failed(f"{what}: not within {limit:g} s")
