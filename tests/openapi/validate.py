"""Holds what the SDKs were answered against OpenAI's published OpenAPI description.

`validate.py RECORDS...` reads lines of JSON, one per answer: method, path, status, content type and text, as the harnesses of the client suites write
them. Every answer and every event of a stream must be what the description promises for its path.
"""
import collections
import functools
import json
import pathlib
import re
import sys

import jsonschema

DESCRIPTION = json.loads(pathlib.Path(__file__).with_name("openai.json").read_text())

# What a path answers: the schema of a whole answer, and that of an event. None: the answer is no JSON of OpenAI's.
ANSWERS = [
    ("POST", r"/chat/completions", "CreateChatCompletionResponse", "CreateChatCompletionStreamResponse"),
    ("POST", r"/completions", "CreateCompletionResponse", "CreateCompletionResponse"),
    ("POST", r"/embeddings", "CreateEmbeddingResponse", None),
    ("POST", r"/audio/speech", None, "CreateSpeechResponseStreamEvent"),
    ("POST", r"/audio/transcriptions", "transcription", "CreateTranscriptionResponseStreamEvent"),
    ("POST", r"/audio/translations", "translation", None),
    ("POST", r"/images/generations", "ImagesResponse", "ImageGenStreamEvent"),
    ("POST", r"/images/edits", "ImagesResponse", "ImageEditStreamEvent"),
    ("GET", r"/models", "ListModelsResponse", None),
    ("GET", r"/models/.+", "Model", None),
    ("POST", r"/responses", "Response", "ResponseStreamEvent"),
    ("POST", r"/responses/input_tokens", "TokenCountsResource", None),
    ("GET", r"/responses/[^/]+", "Response", "ResponseStreamEvent"),
    ("DELETE", r"/responses/[^/]+", "deleted", None),
    ("POST", r"/responses/[^/]+/cancel", "Response", None),
    ("GET", r"/responses/[^/]+/input_items", "ResponseItemList", None),
    ("POST", r"/conversations", "ConversationResource", None),
    ("GET", r"/conversations/[^/]+", "ConversationResource", None),
    ("POST", r"/conversations/[^/]+", "ConversationResource", None),
    ("DELETE", r"/conversations/[^/]+", "DeletedConversationResource", None),
    ("GET", r"/conversations/[^/]+/items", "ConversationItemList", None),
    ("POST", r"/conversations/[^/]+/items", "ConversationItemList", None),
    ("GET", r"/conversations/[^/]+/items/[^/]+", "ConversationItem", None),
    ("DELETE", r"/conversations/[^/]+/items/[^/]+", "ConversationResource", None),
]
# The description gives these answers no name of their own.
OWN = {
    "transcription": {"anyOf": [{"$ref": f"#/components/schemas/CreateTranscriptionResponse{kind}"} for kind in ("VerboseJson", "DiarizedJson", "Json")]},
    "translation": {"anyOf": [{"$ref": f"#/components/schemas/CreateTranslationResponse{kind}"} for kind in ("VerboseJson", "Json")]},
    "deleted": {
        "type": "object",
        "required": ["id", "object", "deleted"],
        "properties": {"id": {"type": "string"}, "object": {"const": "response"}, "deleted": {"const": True}},
    },
}


# Where the gateway does not do as described, and why. Everything else must be as described.
CHUNK = "CreateChatCompletionStreamResponse/properties/choices/items"
# Each row: a place, and what else may stand there.
ALSO = [
    # `encoding_format: "base64"` is described for the call only.
    ("Embedding/properties/embedding", {"type": "string", "pattern": "^[A-Za-z0-9+/]+=*$"}),
    # Some backends send null for what they have not got. It passes as it came, and the SDKs' types have it.
    ("ChatCompletionStreamResponseDelta/properties/tool_calls", {"type": "null"}),
]
# Backends leave these out, and they are not invented. The SDKs' types have them as optional (the last: as what they never read).
OPTIONAL = [
    ("ChatCompletionResponseMessage", "refusal"),
    ("CreateChatCompletionResponse/properties/choices/items", "logprobs"),
    (CHUNK, "finish_reason"),
    ("SpeechAudioDoneEvent", "usage"),
]


def nullable(node):
    """The description says in two ways that null may stand somewhere; JSON Schema knows one."""
    if isinstance(node, list):
        return [nullable(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {name: nullable(value) for name, value in node.items()}
    return {"anyOf": [node, {"type": "null"}]} if node.pop("nullable", None) is True else node


def amend():
    """Writes the exceptions into the description; a row that fits nothing any more is an error."""
    DESCRIPTION["components"] = {"schemas": {name: nullable(schema) for name, schema in DESCRIPTION["components"]["schemas"].items()}}
    for place, other in ALSO:
        *path, last = place.split("/")
        parent = functools.reduce(lambda node, name: node[name], path, DESCRIPTION["components"]["schemas"])
        parent[last] = {"anyOf": [parent[last], other]}
    for place, name in OPTIONAL:
        node = functools.reduce(lambda node, name: node[name], place.split("/"), DESCRIPTION["components"]["schemas"])
        node["required"].remove(name)


@functools.cache
def validator(name):
    root = OWN.get(name) or {"$ref": f"#/components/schemas/{name}"}
    return jsonschema.Draft202012Validator(root | {"components": DESCRIPTION["components"]})


def deepest(error):
    """The most telling of the errors in alternatives."""
    while error.context:
        error = max(error.context, key=lambda inner: (len(inner.absolute_path), -len(inner.context)))
    return error


def against(name, value):
    """What is wrong with a value, as lines."""
    for error in validator(name).iter_errors(value):
        error = deepest(error)
        place = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in error.absolute_path)
        yield f"{name}{place}: {error.message if len(error.message) < 160 else error.message[:40] + ' … ' + error.message[-80:]}"


def events(text):
    """The data of every event that is whole."""
    for frame in text.replace("\r\n", "\n").split("\n\n")[:-1]:
        data = "\n".join(line[5:].lstrip(" ") for line in frame.split("\n") if line.startswith("data:"))
        if data and data != "[DONE]":
            yield json.loads(data)


def problems(record):
    """What of an answer is not as described."""
    path = record["path"].split("?")[0]
    path = re.sub(r"^(/openai)?/v1(?=/)", "", path)
    path = re.sub(r"^/openai(?=/(responses|models)(/|$))", "", path)
    path = re.sub(r"^/openai/deployments/.+?(?=/(chat/completions|completions|embeddings|audio/|images/))", "", path)
    kind = record["type"].split(";")[0]
    if record["status"] >= 400:
        yield from against("ErrorResponse", json.loads(record["text"]))
        return
    if path.startswith(("/jobs", "/files")) or record["status"] == 202:
        return  # jobs are ours, not OpenAI's
    found = [row for row in ANSWERS if row[0] == record["method"] and re.fullmatch(row[1], path)]
    if not found:
        yield f"nothing is known of {record['method']} {path}"
        return
    _, _, whole, event = found[0]
    if kind == "text/event-stream":
        for said in events(record["text"]):
            # An error inside a stream of chat stands alone, as OpenAI's SDKs expect it.
            yield from against("ErrorResponse" if "error" in said and "type" not in said else event, said)
    elif kind == "application/json" and whole and record["whole"]:
        yield from against(whole, json.loads(record["text"]))


def main():
    amend()
    counts, bad = collections.Counter(), collections.Counter()
    for line in (line for file in sys.argv[1:] for line in pathlib.Path(file).read_text().splitlines()):
        record = json.loads(line)
        counts["answers"] += 1
        for problem in problems(record):
            bad[re.sub(r"\[\d+\]", "[…]", problem) + f"  ({record['method']} {record['path'].split('?')[0]}, {record['status']})"] += 1
    for problem, times in bad.most_common(40):
        print(f"FAILED {times} × {problem}")
    print(f"{counts['answers'] - min(sum(bad.values()), counts['answers'])} passed, {sum(bad.values())} failed")
    sys.exit(1 if bad or not counts["answers"] else 0)


if __name__ == "__main__":
    main()
