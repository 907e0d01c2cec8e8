"""Runs the examples of docs/clients as a reader would: every block of code of every page, against a gateway with its sandbox."""
import concurrent.futures
import json
import pathlib
import re
import tempfile

from . import agents, install, places, servers, shell
from .checks import released
from .outcome import Counts, Failed

PAGES = places.ROOT / "docs" / "clients"
# The address that every page shows.
SHOWN = "http://127.0.0.1:8080"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Which locked requirements a page's Python needs, where they are not those of OpenAI's, Anthropic's and Hugging Face's clients.
REQUIREMENTS = {
    "bedrock.md": "requirements-doors.txt",
    "cohere.md": "requirements-doors.txt",
    "google-genai.md": "requirements-doors.txt",
    "instructor.md": "requirements-frameworks.txt",
    "langchain.md": "requirements-frameworks.txt",
    "litellm.md": "requirements-frameworks.txt",
    "pydantic-ai.md": "requirements-frameworks.txt",
    "smolagents.md": "requirements-frameworks.txt",
}


def examples() -> Counts:
    """Each block must end well and print something; a page without one fails."""
    released()
    runners = {"python": _python, "js": _node(), "sh": _shell}
    pages = {page: BLOCK.findall(page.read_text()) for page in sorted(PAGES.glob("*.md"))}
    failed = [f"{page.name}: no example" for page, blocks in pages.items() if not any(language in runners for language, _ in blocks)]
    for page in pages:
        _requirements(page)  # made here, where nothing else makes the same at the same time
    with servers.gateway("gateway-pages") as gateway, tempfile.TemporaryDirectory() as scratch:
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            jobs = [pool.submit(_page, page, blocks, runners, gateway, pathlib.Path(scratch, page.stem)) for page, blocks in pages.items()]
            results = [result for job in jobs for result in job.result()]
        asked = sum(entry.get("operation") == "chat" for entry in json.loads(servers.get(gateway.sandbox + "/_sandbox/journal")[1]))
    failed += [problem for problem in results if problem]
    if asked < len(results) - len(failed):
        failed.append(f"{len(results)} examples ran, but only {asked} chats arrived at the sandbox")
    if failed:
        raise Failed("; ".join(failed))
    return Counts(len(results))


def _page(page: pathlib.Path, blocks: list, runners: dict, gateway, home: pathlib.Path) -> list:
    """What was wrong with each block of a page that runs, or nothing; its files are laid out beforehand in a home of its own."""
    home.mkdir()
    hub = {"HF_ENDPOINT": gateway.sandbox, "HF_HUB_DISABLE_TELEMETRY": "1"}
    # LiteLLM would fetch a list of prices, and wait for it.
    env = gateway.environment() | hub | {"HOME": str(home), "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    problems = []
    for number, (language, code) in enumerate(blocks, 1):
        code = code.replace(SHOWN, gateway.url)
        if language == "toml":
            _write(code, home)
        if language not in runners:
            continue
        command, cwd, more = runners[language](page, code)
        try:
            said = shell.run(f"page-{page.stem}-{number}", command, cwd=cwd or home, env=env | more, limit=120)
            problems.append("" if said.strip() else f"{page.name}, block {number}: it printed nothing")
        except Failed as reason:
            problems.append(f"{page.name}, block {number}: {reason}")
    return problems


def _write(code: str, home: pathlib.Path) -> None:
    """Writes a file whose first line is a comment with its place, `# ~/…`."""
    named = re.match(r"# ~/(\S+)\n", code)
    if named:
        place = home / named.group(1)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(code)


def _requirements(page: pathlib.Path) -> pathlib.Path:
    return install.python_with(places.CLIENTS / REQUIREMENTS.get(page.name, "requirements.txt"))


def _python(page: pathlib.Path, code: str) -> tuple:
    return [_requirements(page), "-c", code], None, {}


def _node():
    folder = install.node_packages(places.CLIENTS)
    # Hugging Face's client asks the Hub at an address that is a constant.
    hub = "--import=" + (places.CLIENTS / "hub_offline.mjs").as_uri()
    return lambda _page, code: (["node", hub, "--input-type=module", "--eval", code], folder, {})


def _shell(_page, code: str) -> tuple:
    return ["bash", "-euc", code], None, {"PATH": f"{agents.programs()}:{places.environment()['PATH']}"}
