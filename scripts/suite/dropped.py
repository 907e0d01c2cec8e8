"""Packets that are lost on the way to one of three servers: connections that cannot be made, and kept ones that go dead without
a word. In network namespaces of its own, so that nothing else on the machine is touched; that takes root, or a system that
lets users make them."""
import concurrent.futures
import contextlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.parse

from . import places, process, servers, shell
from .checks import released
from .outcome import Counts, Failed, Skip

NEAR, FAR, PORT = "10.9.8.1", "10.9.8.2", 8001
# A hardware address that nobody has: what is sent there is lost.
NOBODY = "02:00:00:00:00:99"
CALLS, CALLERS = 1000, 16
# Seconds without a sign of life after which a connection is over.
SILENCE = 5
MODEL = "sandbox/vllm-model"


def packets() -> Counts:
    """Runs `inside` in a namespace of its own."""
    process.available()
    for program in ("unshare", "nsenter", "ip"):
        if not shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin"):
            raise Skip(f"{program} is not installed")
    alone = ["unshare", "--net"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
    # A pair of connected devices is all that is needed of the kernel.
    trial = subprocess.run([*alone, "ip", "link", "add", "near", "type", "veth", "peer", "name", "far"], capture_output=True, check=False)
    if trial.returncode:
        raise Skip(f"no network of one's own can be made here: {trial.stderr.decode(errors='replace').strip()}")
    released()
    said = shell.run("dropped", [*alone, sys.executable, "-m", "suite.dropped"], cwd=places.ROOT / "scripts", limit=300)
    print("".join(f"      {line}\n" for line in said.splitlines()), end="")
    return Counts(2)


def inside() -> None:
    """One server behind a wire that can be cut, two beside the gateway; what callers see of the cut."""
    shell_ip("link set lo up")
    with far_sandbox() as far, servers.sandbox("dropped-near") as near:
        urls = {"bad": far, "good": near, "well": near}
        config = places.LOGS / "dropped.toml"
        server = '[servers.{}]\nurl = "{}/custom/vllm"\ndialect = "vllm"\ncheck_every = "0s"\nmodels = ["{}"]\n'
        targets = ", ".join(f'"huggingface/{name}/{MODEL}"' for name in urls)
        config.write_text(
            "".join(server.format(name, url, MODEL) for name, url in urls.items()) + f"[aliases.even]\ntargets = [{targets}]\n"
        )
        upstream = {"HF_ENDPOINT": near, "HF_ROUTER_URL": near, "HF_TOKEN": "hf_sandbox", "IRONBOW_TIMEOUTS__SILENCE": f"{SILENCE}s"}
        with servers.gateway("gateway-dropped", ("--config", str(config)), upstream) as gateway:
            before = calls(gateway.url, 300)
            if not any(backend == "bad" for _, backend, _ in before):
                raise Failed("the server behind the wire serves nothing")
            # Connections that are open now are dead from here on, and no new one can be made.
            shell_ip(f"neigh replace {FAR} lladdr {NOBODY} dev near nud permanent")
            report("packets are lost", calls(gateway.url, CALLS))
            report("and still", calls(gateway.url, CALLS))


def report(what: str, seen: list) -> None:
    failed = [status for status, _, _ in seen if status != 200]
    slowest = max(took for _, _, took in seen)
    print(f"{what}: {len(failed)} of {len(seen)} calls failed, the slowest took {slowest:.1f} s", flush=True)
    if len(failed) > len(seen) // 1000:
        raise Failed(f"{what}: {len(failed)} of {len(seen)} calls failed: {failed[:5]}")
    # What was on a dead connection is asked elsewhere when that is noticed, and not after half of a call's ten minutes.
    if slowest > 4 * SILENCE:
        raise Failed(f"{what}: a call took {slowest:.0f} s")


def calls(url: str, number: int) -> list:
    """So many calls by several callers, streams and whole answers: status, backend and seconds of each."""
    with concurrent.futures.ThreadPoolExecutor(CALLERS) as callers:
        return list(callers.map(lambda n: call(url, n % 2 == 0), range(number)))


def call(url: str, stream: bool) -> tuple:
    body = json.dumps({"model": "even", "stream": stream, "messages": [{"role": "user", "content": "hi"}]})
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=120)
    began = time.monotonic()
    with contextlib.closing(connection):
        connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
        reply = connection.getresponse()
        good = "echo" in reply.read().decode()
    return reply.status if good or reply.status != 200 else 0, reply.getheader("x-ironbow-backend"), time.monotonic() - began


@contextlib.contextmanager
def far_sandbox():
    """A sandbox in a second namespace, at the other end of a wire: its address."""
    # It waits for its address, and for the word to go on.
    waits = f"read word && exec {places.BINARY} sandbox --listen {FAR}:{PORT}"
    log = places.LOGS / "dropped-far.log"
    with open(log, "wb") as out:
        child = subprocess.Popen(["unshare", "--net", "sh", "-c", waits], stdin=subprocess.PIPE, stdout=out, stderr=out)
    try:
        shell_ip("link add near type veth peer name far")
        shell.until(lambda: other_network(child.pid), 10, "the second namespace")
        shell_ip(f"link set far netns {child.pid}")
        shell_ip(f"addr add {NEAR}/24 dev near")
        shell_ip("link set near up")
        for command in ("link set lo up", f"addr add {FAR}/24 dev far", "link set far up"):
            shell.run("dropped-far-ip", ["nsenter", "-t", str(child.pid), "-n", "ip", *command.split()])
        child.stdin.write(b"go\n")
        child.stdin.close()
        url = f"http://{FAR}:{PORT}"
        shell.until(lambda: servers.get(url + "/_sandbox/")[0] == 200, 20, "the sandbox behind the wire")
        yield url
    finally:
        child.kill()
        child.wait()


def other_network(pid: int) -> bool:
    return os.readlink(f"/proc/{pid}/ns/net") != os.readlink("/proc/self/ns/net")


def shell_ip(command: str) -> None:
    shell.run("dropped-ip", ["ip", *command.split()])


if __name__ == "__main__":
    try:
        inside()
    except Failed as why:
        sys.exit(str(why))
