"""Takes the parts that the tests need, with everything that they refer to, out of OpenAI's published OpenAPI description."""
import json
import pathlib
import sys

import yaml  # PyYAML; needed only to make openai.json anew

WANTED = (
    "CreateChatCompletionResponse CreateChatCompletionStreamResponse CreateCompletionResponse Response ResponseStreamEvent ResponseItemList "
    "ConversationResource DeletedConversationResource ConversationItem ConversationItemList TokenCountsResource CreateEmbeddingResponse "
    "ImagesResponse ImageGenStreamEvent ImageEditStreamEvent CreateTranscriptionResponseJson CreateTranscriptionResponseVerboseJson "
    "CreateTranscriptionResponseDiarizedJson CreateTranslationResponseJson CreateTranslationResponseVerboseJson "
    "CreateTranscriptionResponseStreamEvent CreateSpeechResponseStreamEvent ListModelsResponse Model ErrorResponse"
).split()
WORDS = {"description", "title", "example", "examples", "deprecated", "externalDocs"}


def cleaned(node, names=False):
    """Without words and extensions; in a map of names every name stays."""
    if isinstance(node, dict):
        keep = {k: v for k, v in node.items() if names or not (k in WORDS or k.startswith("x-"))}
        return {k: cleaned(v, k in ("properties", "mapping")) for k, v in keep.items()}
    return [cleaned(item) for item in node] if isinstance(node, list) else node


def references(node):
    if isinstance(node, dict):
        for key, value in node.items():
            yield from [value.rsplit("/", 1)[1]] if key == "$ref" else references(value)
    elif isinstance(node, list):
        for item in node:
            yield from references(item)


def main():
    document = yaml.load(pathlib.Path(sys.argv[1]).read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    schemas, found, wanted = document["components"]["schemas"], {}, list(WANTED)
    while wanted:
        name = wanted.pop()
        if name not in found:
            found[name] = cleaned(schemas[name])
            wanted += references(found[name])
    info = {name: document["info"][name] for name in ("title", "version", "license")}
    small = {"openapi": document["openapi"], "info": info, "components": {"schemas": dict(sorted(found.items()))}}
    out = pathlib.Path(__file__).with_name("openai.json")
    out.write_text(json.dumps(small, separators=(",", ":"), ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
