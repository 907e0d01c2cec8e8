"""OpenAI's Codex against the gateway, as it is after its installation: a provider with the gateway's base URL is all that is set."""
import json
import os
import pathlib
import subprocess
import tempfile

from harness import GATEWAY, asked, chats, check, fault, main, same, settings

MODEL = "huggingface/groq/meta-llama/Llama-3.1-8B-Instruct"
CONFIG = f"""
model = "{MODEL}"
model_provider = "ironbow"

[model_providers.ironbow]
name = "Ironbow"
base_url = "{GATEWAY}/v1"
wire_api = "responses"
"""
# The commands come from the script below, so they need no cage; and not every machine that runs tests can build one.
FREE = "--dangerously-bypass-approvals-and-sandbox"


class Task:
    """A folder to work in, and a home in which Codex finds its settings."""

    def __init__(self, config=CONFIG):
        self._scratch = tempfile.TemporaryDirectory(prefix="codex-")
        self.folder, self.home = (pathlib.Path(self._scratch.name, name) for name in ("work", "home"))
        self.folder.mkdir()
        self.home.mkdir()
        (self.home / "config.toml").write_text(config)

    def run(self, *arguments, expect=0):
        """What Codex tells, event by event."""
        command = [os.environ["CODEX"], "exec", "--skip-git-repo-check", "--json", FREE, *arguments]
        env = os.environ | {"CODEX_HOME": str(self.home), "HOME": str(self.home)}
        done = subprocess.run(command, cwd=self.folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=55)
        same(done.returncode, expect, done.stdout[-3000:] + done.stderr[-3000:])
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def said(events):
    """The agent's messages."""
    return [e["item"]["text"] for e in events if e["type"] == "item.completed" and e["item"]["type"] == "agent_message"]


def commands(events):
    return [e["item"] for e in events if e["type"] == "item.completed" and e["item"]["type"] == "command_execution"]


def runs(command, text=""):
    return {"text": text, "tool_calls": [{"name": "exec_command", "arguments": {"cmd": command}}]}


WRITE_AND_READ = [runs("printf 42 > answer.txt", "I write it down."), runs("cat answer.txt"), {"text": "It is 42."}]


@check
def a_default_codex_does_a_task_with_commands():
    settings(script=WRITE_AND_READ)
    task = Task()
    events = task.run("Write the answer into answer.txt and read it.")
    same((task.folder / "answer.txt").read_text(), "42")
    same([item["exit_code"] for item in commands(events)], [0, 0])
    same([item["aggregated_output"] for item in commands(events)], ["", "42"])
    same(said(events), ["I write it down.", "It is 42."])
    used = next(e["usage"] for e in events if e["type"] == "turn.completed")
    assert used["input_tokens"] > 0 and used["output_tokens"] > 0, used
    # Each turn brings the whole conversation, and the model saw what the commands printed.
    bodies = [json.loads(entry["body"]) for entry in chats()]
    same(len(bodies), 3)
    assert "42" in [m for m in bodies[2]["messages"] if m["role"] == "tool"][1]["content"]


@check
def a_codex_that_is_told_no_model_asks_for_its_own_and_an_alias_answers():
    # Models that Codex knows get their tools by an item, in namespaces, and run commands from a program in JavaScript.
    program = 'const done = await tools.exec_command({cmd: "printf 42 > answer.txt"}); text(JSON.stringify(done))'
    settings(script=[{"tool_calls": [{"name": "functions__exec", "arguments": {"input": program}}]}, {"text": "It is 42."}])
    task = Task("\n".join(line for line in CONFIG.splitlines() if not line.startswith("model =")))
    same(said(task.run("Write the answer into answer.txt."))[-1:], ["It is 42."])
    same((task.folder / "answer.txt").read_text(), "42")
    assert "exit_code" in [m for m in json.loads(chats()[-1]["body"])["messages"] if m["role"] == "tool"][0]["content"]


@check
def tools_that_only_openai_runs_are_taken_out_and_the_others_reach_the_model():
    settings(script=[{"text": "Nothing to do."}, *WRITE_AND_READ])
    same(said(Task().run("-c", 'web_search="live"', "Do nothing."))[-1:], ["Nothing to do."])
    tools = {tool["function"]["name"] for tool in json.loads(chats()[-1]["body"])["tools"]}
    assert "exec_command" in tools and "web_search" not in tools, tools


@check
def several_commands_at_once_are_all_run():
    calls = [call for name in ("one", "two") for call in runs(f"echo {name} > {name}.txt")["tool_calls"]]
    settings(script=[{"tool_calls": calls}, {"text": "Both are there."}])
    task = Task()
    same(said(task.run("Write two files."))[-1:], ["Both are there."])
    same(sorted(file.name for file in task.folder.iterdir()), ["one.txt", "two.txt"])


@check
def what_was_thought_goes_back_sealed():
    settings(script=WRITE_AND_READ)
    events = Task().run("-c", 'model_reasoning_effort="low"', "-c", "model_supports_reasoning_summaries=true", "Write the answer.")
    same(said(events)[-1:], ["It is 42."])
    assert any(e["item"]["type"] == "reasoning" for e in events if e["type"] == "item.completed"), events
    last = json.loads(chats()[-1]["body"])["messages"]
    assert sum("thinking about" in json.dumps(message) for message in last) == 2, last


@check
def a_session_goes_on_where_it_ended():
    settings(script=WRITE_AND_READ)
    task = Task()
    thread = next(e["thread_id"] for e in task.run("Write the answer.") if e["type"] == "thread.started")
    settings(script=None)
    events = task.run("resume", thread, "Thank you.")
    assert "Thank you." in said(events)[-1], events
    assert "It is 42." in chats()[-1]["body"]


@check
def an_answer_comes_in_the_schema_that_was_asked_for():
    task = Task()
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"], "additionalProperties": False}
    (task.home / "schema.json").write_text(json.dumps(schema))
    events = task.run("--output-schema", str(task.home / "schema.json"), "A city.")
    same(list(json.loads(said(events)[-1])), ["name"])


@check
def a_picture_reaches_the_model():
    import base64

    task = Task(CONFIG.replace(MODEL, "huggingface/together/sandbox/everywhere"))
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
    (task.home / "pixel.png").write_bytes(base64.b64decode(pixel))
    events = task.run("-i", str(task.home / "pixel.png"), "--", "What is this?")
    assert "[image image/png" in said(events)[-1], events


@check
def a_backend_that_stumbles_is_asked_again_and_the_task_is_done():
    for kind, more in (("status", {"status": 503}), ("stream_error", {"after": 2}), ("cut", {"after": 2})):
        settings(script=WRITE_AND_READ)
        fault(kind=kind, **more)
        same(said(Task().run("Write the answer."))[-1:], ["It is 42."], kind)


@check
def a_mistake_is_told_in_the_gateways_words():
    events = Task(CONFIG.replace(MODEL, "huggingface/auto/nobody/has-this")).run("Write the answer.", expect=1)
    told = next(e["error"]["message"] for e in events if e["type"] == "turn.failed")
    assert "nobody/has-this" in told, told
    same(asked("chat"), [])


if __name__ == "__main__":
    main()
