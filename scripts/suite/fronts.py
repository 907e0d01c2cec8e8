"""Real reverse proxies in front of the gateway: they must agree with it on where a request ends, and pass its streams on."""
import pathlib
import shutil

from . import install, places, servers, shell
from .checks import released
from .outcome import Counts, of_script

CONFIGURATIONS = places.ROOT / "tests" / "fronts"


def _debian(program: str, packages: list, *arguments: str):
    return lambda work: [*install.debian_program(program, packages), *(a.format(work=work) for a in arguments)]


def _python(program: str, *arguments: str):
    def command(work) -> list:
        python = install.python_with(places.CLIENTS / "requirements-fronts.txt")
        return [python.parent / program, *(a.format(work=work) for a in arguments)]

    return command


# How each is started; {work} is the folder with its rendered configuration.
FRONTS = {
    "nginx": _debian("nginx", ["nginx"], "-e", "stderr", "-p", "{work}", "-c", "{work}/nginx.conf"),
    "haproxy": _debian("haproxy", ["haproxy", "liblua5.3-0", "libopentracing-c-wrapper0", "libopentracing1"], "-db", "-f", "{work}/haproxy.cfg"),
    "caddy": _python("caddy", "run", "--adapter", "caddyfile", "--config", "{work}/Caddyfile"),
    "traefik": _python("traefik", "--configFile={work}/traefik.yml"),
}


def behind(front: str):
    """A check: request smuggling and the SDK's streams through this proxy; `direct` is no proxy at all."""

    def check() -> Counts:
        released()
        client = install.python_with(places.CLIENTS / "requirements.txt")
        with servers.gateway(f"gateway-behind-{front}") as gateway:
            if front == "direct":
                return smuggling(client, gateway, front, gateway.url)
            port = servers.free_port()
            work = rendered(front, port, gateway)
            url = f"http://127.0.0.1:{port}"
            env = places.environment() | {"HOME": str(work), "XDG_DATA_HOME": str(work), "XDG_CONFIG_HOME": str(work)}
            with servers.started(front, FRONTS[front](work), lambda _log: servers.get(url + "/health")[0] == 200, env=env, cwd=work):
                sdk = gateway.environment() | {"IRONBOW_URL": url}
                chats = of_script(shell.run(f"client-behind-{front}", [client, places.CLIENTS / "hub_through_gateway.py"], env=sdk, limit=120))
                return chats + smuggling(client, gateway, front, url)

    return check


def smuggling(client, gateway, front: str, url: str) -> Counts:
    env = gateway.environment() | {"FRONT_URL": url}
    return of_script(shell.run(f"smuggling-{front}", [client, places.CLIENTS / "smuggling.py"], env=env, limit=600))


def rendered(front: str, port: int, gateway) -> pathlib.Path:
    """A folder of its own with every configuration file filled in."""
    work = places.CACHE / "fronts" / front
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    values = {"{{PORT}}": str(port), "{{GATEWAY}}": gateway.url.removeprefix("http://"), "{{WORK}}": str(work)}
    for file in CONFIGURATIONS.iterdir():
        text = file.read_text()
        for name, value in values.items():
            text = text.replace(name, value)
        (work / file.name).write_text(text)
    return work
