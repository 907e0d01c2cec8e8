"""Anthropic's Claude Code against the gateway, as it is after its installation: only the base URL and a model are set."""
import json
import os
import pathlib
import subprocess
import tempfile

from harness import GATEWAY, asked, check, fault, main, same, settings

ROUTE = "huggingface/together/sandbox/everywhere"
NATIVE = "claude-sonnet-4-5"


class Task:
    """A folder to work in, and a home without any settings."""

    def __init__(self, model):
        self._scratch = tempfile.TemporaryDirectory(prefix="claude-code-")
        self.folder, self.home = (pathlib.Path(self._scratch.name, name) for name in ("work", "home"))
        self.folder.mkdir()
        self.home.mkdir()
        self.model = model

    def run(self, prompt, *arguments, expect=0, key="gateway-key-0123456789"):
        """Every message of print mode, and last what came of it."""
        command = [os.environ["CLAUDE_CODE"], "-p", prompt, "--output-format", "stream-json", "--verbose", *arguments]
        own = {
            "ANTHROPIC_BASE_URL": GATEWAY + "/anthropic",
            "ANTHROPIC_API_KEY": key,
            "ANTHROPIC_MODEL": self.model,
            "ANTHROPIC_SMALL_FAST_MODEL": self.model,
            # It would ask Anthropic for news, at addresses that are not the base URL.
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "HOME": str(self.home),
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANTHROPIC_", "CLAUDE_"))}
        done = subprocess.run(
            command, cwd=self.folder, env=kept | own, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=170
        )
        same(done.returncode, expect, done.stdout[-3000:] + done.stderr[-3000:])
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    def script(self):
        """A model that reads a file, writes another, and says that it is done."""
        return [
            {"text": "I look at it.", "tool_calls": [{"name": "Read", "arguments": {"file_path": str(self.folder / "in.txt")}}]},
            {"tool_calls": [{"name": "Write", "arguments": {"file_path": str(self.folder / "out.txt"), "content": "42\n"}}]},
            {"text": "The number is 42."},
        ]

    def does_it(self):
        (self.folder / "in.txt").write_text("the number is 42\n")
        settings(script=self.script())
        events = self.run("Read in.txt and write the number into out.txt.", "--allowedTools", "Read,Write")
        same((self.folder / "out.txt").read_text(), "42\n")
        last = events[-1]
        same((last["type"], last["is_error"], last["result"]), ("result", False, "The number is 42."))
        assert last["usage"]["input_tokens"] > 0 and last["usage"]["output_tokens"] > 0, last["usage"]
        return events


def said_by(body, role):
    """The messages of this role in a call, as text."""
    return [json.dumps(message) for message in body["messages"] if message["role"] == role]


@check
def it_does_a_task_with_tools_on_a_model_of_hugging_face():
    Task(ROUTE).does_it()
    bodies = [json.loads(entry["body"]) for entry in asked("chat")]
    last = bodies[-1]
    same(sum(message["role"] == "tool" for message in last["messages"]), 2)
    assert "the number is 42" in said_by(last, "tool")[0], last["messages"]
    assert {"Read", "Write", "Bash"} <= {tool["function"]["name"] for tool in last["tools"]}


@check
def it_does_a_task_with_tools_on_anthropics_own_models_byte_for_byte():
    Task(NATIVE).does_it()
    calls = asked("messages")
    assert calls and all(entry["status"] == 200 for entry in calls), [entry["status"] for entry in calls]
    head = {name: value for name, value in calls[-1]["headers"]}
    assert "anthropic-beta" in head and head["anthropic-version"] == "2023-06-01", head
    assert "gateway-key" not in json.dumps(calls), "the caller's key stays here"


@check
def what_was_thought_comes_back_with_the_next_turn():
    Task(ROUTE).does_it()
    last = json.loads(asked("chat")[-1]["body"])
    thought = [message for message in last["messages"] if message.get("reasoning_content")]
    assert "thinking about" in json.dumps(thought), last["messages"]


@check
def a_backend_that_stumbles_is_asked_again_and_the_task_is_done():
    for kind, more in (("status", {"status": 529}), ("stream_error", {"after": 2, "shape": "anthropic"})):
        fault(kind=kind, operation="messages", **more)
        Task(NATIVE).does_it()


@check
def a_name_that_means_nothing_ends_the_task_and_reaches_nobody():
    events = Task("huggingface/nobody/here/x").run("Say hello.", expect=1)
    assert events[-1]["is_error"], events[-1]
    same(asked("chat", "messages"), [])


if __name__ == "__main__":
    main()
