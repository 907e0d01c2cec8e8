"""The checks, in the order in which they run. Each is a function that returns its counts, or raises `Skip` or `Failed`."""
import dataclasses
import os
import shutil
import typing

from . import install, places, servers, shell
from .outcome import Counts, Failed, Skip, of_cargo, of_script


@dataclasses.dataclass(frozen=True)
class Check:
    """One row of the table. A required check that is skipped fails the run."""

    name: str
    run: typing.Callable
    required: bool = True
    long: bool = False


IN_CI = bool(os.environ.get("CI"))


def cargo(name: str, *arguments, env=None, limit=3600, cwd=None) -> str:
    """Runs cargo; the lock file is never changed by a test run."""
    if not shutil.which("cargo"):
        raise Skip("cargo is not installed")
    return shell.run(name, ["cargo", *arguments], env=env, limit=limit, cwd=cwd)


def formatting() -> Counts:
    cargo("fmt", "fmt", "--all", "--check")
    return Counts(1)


def lints() -> Counts:
    cargo("clippy", "clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings")
    return Counts(1)


def workspace() -> Counts:
    """Unit, integration and documentation tests of every crate."""
    return counted_cargo("cargo-test", "test", "--workspace", "--locked", "--no-fail-fast")


def counted_cargo(name: str, *arguments, env=None, limit=3600) -> Counts:
    counts = of_cargo(cargo(name, *arguments, env=env, limit=limit))
    if counts.passed == 0:
        raise Failed("cargo ran no test")
    return counts


def documentation() -> Counts:
    env = places.environment() | {"RUSTDOCFLAGS": "-D warnings"}
    cargo("doc", "doc", "--workspace", "--no-deps", "--locked", env=env)
    return Counts(1)


# Whether the release build of this very run failed: then what lies there is not what is to be checked.
_stale = False


def release_build() -> Counts:
    global _stale
    _stale = True
    cargo("release", "build", "--release", "--locked", "--package", "ironbow")
    _stale = False
    return Counts(1)


def bench_builds() -> Counts:
    """The benchmark and the fuzz targets are workspaces of their own: they must go on compiling."""
    cargo("bench-check", "check", "--locked", "--workspace", "--all-targets", cwd=places.ROOT / "bench")
    # Without test targets: the files of other crates that it includes have tests, which run there.
    cargo("fuzz-check", "check", "--locked", cwd=places.ROOT / "fuzz")
    return Counts(2)


def fuzzing() -> Counts:
    """The property tests again, with many more cases."""
    env = places.environment() | {"PROPTEST_CASES": "20000"}
    return counted_cargo("fuzzing", "test", "--workspace", "--release", "--locked", env=env, limit=5400)


def simulation() -> Counts:
    """The routing in its simulation, with all seeds: the table on its page is what comes out."""
    command = ("test", "--release", "-p", "policy", "--test", "it", "--locked", "--", "--ignored", "simulation::")
    return counted_cargo("simulation", *command, limit=7200)


def bench_look() -> Counts:
    """The benchmark runs to its end; its figures are for reading, not for judging."""
    command = [places.ROOT / "bench" / "run", "--rounds", "1", "--seconds", "1", "--hold-rounds", "0", "--profile", "release"]
    output = shell.run("bench", command, limit=1800)
    print("\n".join("      " + line for line in output.splitlines() if line.startswith("|")))
    return Counts(1)


def released() -> None:
    """The checks from here on use the release binary; a failed build skips them with that reason."""
    if _stale or not places.BINARY.exists():
        raise Skip("there is no release binary: its build failed or was left out")


def python_client(script: str, requirements="requirements.txt"):
    """A check that runs one Python client script against a fresh gateway with its sandbox."""

    def check() -> Counts:
        released()
        python = install.python_with(places.CLIENTS / requirements)
        with servers.gateway(f"gateway-{script}") as gateway:
            return of_script(shell.run(f"client-{script}", [python, places.CLIENTS / script], env=recorded(gateway, script), limit=300))

    return check


# Where the suites of this run wrote down what they were answered: earlier runs have left files too.
_recorded = []


def recorded(gateway, script: str) -> dict:
    """What a client script is told; one of OpenAI's SDKs also, where to write down what it was answered."""
    if not script.startswith("openai_"):
        return gateway.environment()
    records = places.LOGS / f"answers-{script}.jsonl"
    records.unlink(missing_ok=True)
    _recorded.append(records)
    return gateway.environment() | {"IRONBOW_RECORDS": str(records)}


def described() -> Counts:
    """Every answer that OpenAI's SDKs were given in this run is as OpenAI's published description says."""
    records = sorted(file for file in _recorded if file.exists())
    if not records:
        raise Skip("no suite of OpenAI's SDKs has run: choose one with this check")
    python = install.python_with(places.CLIENTS / "requirements-openapi.txt")
    return of_script(shell.run("openapi", [python, places.ROOT / "tests" / "openapi" / "validate.py", *records], limit=300))


def node_client(script: str):
    """A check that runs one Node client script against a fresh gateway with its sandbox."""

    def check() -> Counts:
        released()
        folder = install.node_folder(places.CLIENTS)
        with servers.gateway(f"gateway-{script}") as gateway:
            return of_script(shell.run(f"client-{script}", ["node", folder / script], env=recorded(gateway, script), limit=300))

    return check


def passed_python(script: str):
    """A check in which a gateway stands where a real Python client has Hugging Face's router."""

    def check() -> Counts:
        released()
        return passed(script, [install.python_with(places.CLIENTS / "requirements.txt"), places.CLIENTS / script])

    return check


def passed_node(script: str):
    """A check in which a gateway stands where a real Node client has Hugging Face's router."""

    def check() -> Counts:
        released()
        return passed(script, ["node", install.node_folder(places.CLIENTS) / script])

    return check


def passed(script: str, command: list) -> Counts:
    with servers.gateway(f"gateway-passed-{script}") as gateway:
        env = gateway.environment() | {"ROUTER_URL": gateway.url}
        return of_script(shell.run(f"client-passed-{script}", command, env=env, limit=300))


def sandbox_python(script: str):
    """A check that holds the sandbox itself against a real Python client."""

    def check() -> Counts:
        released()
        python = install.python_with(places.CLIENTS / "requirements.txt")
        with servers.sandbox(f"sandbox-{script}") as url:
            return of_script(shell.run(f"client-{script}", [python, places.CLIENTS / script, url], limit=300))

    return check


def sandbox_node(script: str):
    """A check that holds the sandbox itself against a real Node client."""

    def check() -> Counts:
        released()
        folder = install.node_folder(places.CLIENTS)
        with servers.sandbox(f"sandbox-{script}") as url:
            return of_script(shell.run(f"client-{script}", ["node", folder / script, url], limit=300))

    return check


def metrics() -> Counts:
    """Prometheus' own checker reads /metrics after a few calls were counted."""
    released()
    promtool = install.debian_program("promtool", ["prometheus"])
    with servers.gateway("gateway-promtool") as gateway:
        for path in ("/v1/models", "/health", "/nothing-here"):
            servers.get(gateway.url + path)
        status, text = servers.get(gateway.url + "/metrics")
    if status != 200:
        raise Failed(f"/metrics answered {status}")
    scraped = places.LOGS / "metrics.txt"
    scraped.write_text(text)
    with open(scraped) as given:
        shell.run("promtool", [*promtool, "check", "metrics"], stdin=given, limit=60)
    return Counts(1)
