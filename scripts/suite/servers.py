"""Starts servers on loopback, waits until they are ready, and stops them: always by the process that was started here."""
import contextlib
import json
import pathlib
import re
import socket
import subprocess
import urllib.error
import urllib.request

from . import places, shell
from .outcome import Failed


def free_port() -> int:
    """A loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(url: str, limit: float = 5) -> tuple:
    """Status and text of a GET; a refused connection is status 0."""
    try:
        with urllib.request.urlopen(url, timeout=limit) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")
    except OSError:
        return 0, ""


@contextlib.contextmanager
def started(name: str, command: list, ready, *, env=None, cwd=None, limit=20):
    """Runs a server while the block runs; `ready(log_path)` says when it can be used, and its value is handed out."""
    places.LOGS.mkdir(parents=True, exist_ok=True)
    log = places.LOGS / f"{name}.log"
    with open(log, "wb") as out:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=cwd or places.ROOT,
            env=env or places.environment(),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:

        def check():
            if process.poll() is not None:
                shell.show_end(log.read_text(errors="replace"), log)
                raise Failed(f"{name} ended at start with {process.returncode}")
            return ready(log)

        yield process, shell.until(check, limit, f"{name} is not ready")
    finally:
        shell.end_group(process)


class Gateway:
    """A running `ironbow serve --sandbox`: its process and its two addresses."""

    def __init__(self, process, url, sandbox):
        self.process, self.url, self.sandbox = process, url, sandbox

    def environment(self) -> dict:
        """What a client script is told."""
        addresses = {"IRONBOW_URL": self.url, "SANDBOX_URL": self.sandbox}
        return places.environment() | addresses | {"SOUNDS": str(places.SOUNDS), "IRONBOW_PID": str(self.process.pid)}


def _listening(log: pathlib.Path):
    """The addresses in the start-up event, once it is there and the port answers."""
    for line in log.read_text(errors="replace").splitlines():
        if '"listening"' not in line:
            continue
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            found = json.dumps(event)
            url = re.search(r'"url": "(http[^"]+)"', found)
            sandbox = re.search(r'"sandbox": "(http[^"]+)"', found)
            if url and get(url.group(1) + "/health")[0] == 200:
                return url.group(1), sandbox.group(1) if sandbox else ""
    return None


@contextlib.contextmanager
def gateway(name="gateway", arguments=("--sandbox",), extra_env=None, binary=places.BINARY):
    """`ironbow serve` with these arguments on a free port."""
    command = [binary, "serve", "--listen", "127.0.0.1:0", *arguments]
    env = places.environment() | {"IRONBOW_LOG__FORMAT": "json", "IRONBOW_DATA__FOLDER": "none"} | (extra_env or {})
    with started(name, command, _listening, env=env) as (process, (url, sandbox)):
        yield Gateway(process, url, sandbox)


@contextlib.contextmanager
def sandbox(name="sandbox"):
    """`ironbow sandbox` alone, on a free port: its address."""
    url = f"http://127.0.0.1:{free_port()}"
    command = [places.BINARY, "sandbox", "--listen", url.removeprefix("http://")]
    with started(name, command, lambda _log: get(url + "/_sandbox/")[0] == 200):
        yield url
