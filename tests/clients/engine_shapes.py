"""llama.cpp's server speaks OpenAI's chat, Responses and Anthropic itself: the same calls go to it and to the gateway in front of it.

Whatever it tells, the gateway must tell under the same name and with the same type, and its events come in the same order. The
gateway may tell more: llama.cpp leaves out what OpenAI's own server has. What else may differ is written down here.
"""
import json
import os
import urllib.error
import urllib.request

from harness import GATEWAY, check, main, same

ENGINE = os.environ["ENGINE_URL"]
SCHEMA = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"], "additionalProperties": False}

# Of each door: the path at llama.cpp, the path here, and the call without its model.
DOORS = {
    "chat": ("/v1/chat/completions", "/v1/chat/completions", {"max_tokens": 6, "messages": [{"role": "user", "content": "Count."}]}),
    "responses": ("/v1/responses", "/v1/responses", {"max_output_tokens": 6, "input": "Count.", "store": False}),
    "messages": ("/v1/messages", "/anthropic/v1/messages", {"max_tokens": 6, "messages": [{"role": "user", "content": "Count."}]}),
}
IN_SCHEMA = {
    "chat": {"response_format": {"type": "json_schema", "json_schema": {"name": "verdict", "schema": SCHEMA, "strict": True}}},
    "responses": {"text": {"format": {"type": "json_schema", "name": "verdict", "schema": SCHEMA, "strict": True}}},
}
# What llama.cpp tells and the gateway does not, or as another type, with the reason.
ALLOWED = {
    # The gateway's responses do not say when they were complete; docs/responses.md says so.
    ("responses", "completed_at"),
    # llama.cpp's own measurements stand beside the response in its last event, where the SDKs have no place for them.
    ("responses", "timings"),
}
met = set()
# Where the gateway's answer differs in its kind, with the reason.
OTHERWISE = {
    # llama.cpp calls a response complete that ran into its limit; OpenAI calls it incomplete, and so does the gateway.
    ("responses", "response.completed"): "response.incomplete",
}


def post(base, path, body):
    request = urllib.request.Request(base + path, json.dumps(body).encode(), {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=170) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def both(door, **more):
    """The engine's answer and the gateway's to the same call."""
    theirs, ours, call = DOORS[door]
    call = call | {"temperature": 0} | more
    answers = post(ENGINE, theirs, {"model": "gemma"} | call), post(GATEWAY, ours, {"model": "huggingface/engine/gemma"} | call)
    same([status for status, _ in answers], [200, 200], answers)
    return [text for _, text in answers]


def shape(value, path, found):
    """Collects the type of every member, under its path; all elements of a list have one path."""
    kind = "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else type(value).__name__
    found.setdefault(path, set()).add(kind)
    if isinstance(value, dict):
        for name, member in value.items():
            shape(member, f"{path}.{name}", found)
    if isinstance(value, list):
        for member in value:
            shape(member, f"{path}[]", found)
    return found


def events(text):
    """The events of a stream: their kind and their data."""
    data = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ") and line != "data: [DONE]"]
    return [(event.get("type", "chunk"), event) for event in data]


def compare(door, theirs, ours):
    """Whatever the engine tells, the gateway tells too, and as the same type."""
    for path, kinds in theirs.items():
        allowed = {(door, name) for name in path.split(".")} & ALLOWED
        if kinds & ours.get(path, set()):
            continue
        met.update(allowed)
        assert allowed, f"{door}: {path} is {kinds} at the engine and {ours.get(path, 'missing')} here; here are {sorted(ours)}"


def plain(door, **more):
    theirs, ours = (json.loads(text) for text in both(door, **more))
    compare(door, shape(theirs, "", {}), shape(ours, "", {}))
    return theirs, ours


def text(door, answer):
    return {
        "chat": lambda: answer["choices"][0]["message"]["content"],
        "responses": lambda: "".join(part["text"] for item in answer["output"] for part in item.get("content", [])),
        "messages": lambda: "".join(block["text"] for block in answer["content"]),
    }[door]()


@check
def plain_answers_have_the_same_shape_and_say_the_same():
    for door in DOORS:
        theirs, ours = plain(door)
        same(text(door, ours), text(door, theirs), door)


@check
def answers_in_a_schema_have_the_same_shape_and_fit_it():
    for door, more in IN_SCHEMA.items():
        limit = {"max_tokens": 16} if door == "chat" else {"max_output_tokens": 16}
        # llama.cpp's own Responses do not look at the schema; the gateway says it as its chat does.
        _, ours = plain(door, **more, **limit)
        assert isinstance(json.loads(text(door, ours))["ok"], bool), (door, ours)


@check
def streams_have_the_same_events_in_the_same_order():
    for door in DOORS:
        # llama.cpp tells its timings with the usage, and without being asked in the last chunk: only the former comes through.
        more = {"stream_options": {"include_usage": True}} if door == "chat" else {}
        theirs, ours = (events(answer) for answer in both(door, stream=True, **more))
        theirs = [(OTHERWISE.get((door, kind), kind), event) for kind, event in theirs]
        # Anthropic's own server sends pings, llama.cpp does not.
        ours = [(kind, event) for kind, event in ours if kind != "ping"]
        # Of a kind that is repeated, how often is up to how the text was cut.
        order = [[kind for n, (kind, _) in enumerate(all) if n == 0 or all[n - 1][0] != kind] for all in (theirs, ours)]
        same(order[1], order[0], f"{door}: order of events")
        shapes = [{}, {}]
        for found, all in zip(shapes, (theirs, ours)):
            for kind, event in all:
                shape(event, kind, found)
        compare(door, *shapes)


@check
def counts_of_tokens_agree():
    for door, names in (("chat", ("prompt_tokens", "completion_tokens")), ("responses", ("input_tokens", "output_tokens"))):
        theirs, ours = plain(door)
        same([ours["usage"][name] for name in names], [theirs["usage"][name] for name in names], door)
    theirs, ours = plain("messages")
    # What came out of the engine's cache is counted apart, and how much that is depends on what was asked before.
    total = [sum(answer["usage"][name] for name in ("input_tokens", "cache_read_input_tokens")) for answer in (theirs, ours)]
    same(total[1], total[0], "messages")


@check
def a_call_without_its_main_member_is_a_bad_request_here():
    # llama.cpp answers 500 at Anthropic's path, which would make clients try again.
    for door, (_, path, call) in DOORS.items():
        body = {name: value for name, value in call.items() if name not in ("messages", "input")}
        status, answer = post(GATEWAY, path, body | {"model": "huggingface/engine/gemma"})
        assert status == 400 and ("messages" in answer or "input" in answer), (door, status, answer)


@check
def every_difference_that_is_allowed_is_still_one():
    same(met, ALLOWED)


if __name__ == "__main__":
    main()
