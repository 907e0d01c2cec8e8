"""A real engine through the gateway: nothing is asserted about what the small model says, only about how it arrives."""
import json
import time

import openai
from openai import OpenAI

from harness import GATEWAY, check, main, raises, same

MODEL = "huggingface/engine/gemma"
HELLO = [{"role": "user", "content": "Count from one to five."}]
# The engine answers a few tokens a second on a small machine.
client = OpenAI(base_url=GATEWAY + "/v1", api_key="anything", max_retries=0, timeout=120)


def ask(**more):
    return client.chat.completions.create(**{"model": MODEL, "messages": HELLO, "max_tokens": 12, "temperature": 0} | more)


@check
def a_whole_answer_counts_its_tokens():
    reply = ask()
    same(reply.object, "chat.completion")
    same(reply.usage.completion_tokens, 12)
    same(reply.choices[0].finish_reason, "length")


@check
def a_stream_arrives_piece_by_piece_and_says_the_same():
    pieces, moments = [], []
    for chunk in ask(stream=True, seed=1):
        if chunk.choices and chunk.choices[0].delta.content:
            pieces.append(chunk.choices[0].delta.content)
            moments.append(time.monotonic())
    same("".join(pieces), ask(seed=1).choices[0].message.content)
    assert len(pieces) > 3 and moments[-1] > moments[0], moments


@check
def usage_of_a_stream_equals_the_engines_own():
    chunks = list(ask(stream=True, stream_options={"include_usage": True}))
    same(chunks[-1].usage.completion_tokens, 12)
    same(chunks[-1].usage.prompt_tokens, ask().usage.prompt_tokens)


@check
def a_json_schema_holds():
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"], "additionalProperties": False}
    wanted = {"type": "json_schema", "json_schema": {"name": "verdict", "schema": schema, "strict": True}}
    answer = json.loads(ask(response_format=wanted, max_tokens=16).choices[0].message.content)
    assert isinstance(answer["ok"], bool), answer


@check
def a_stream_that_breaks_is_gone_on_with():
    def heard(model, chunks):
        for chunk in ask(model=model, stream=True, max_tokens=24, seed=1):
            chunks.append(chunk)
        return chunks

    def text(chunks):
        return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)

    first = []
    raises(openai.APIError, lambda: heard("off", first))
    whole = heard("on", [])
    # What follows may differ from what the engine would have said unbroken: it reads its own words as other tokens.
    assert text(first) and text(whole).startswith(text(first)) and len(text(whole)) > len(text(first)), (text(first), text(whole))
    assert not text(whole)[len(text(first)) :].startswith(text(first)), text(whole)
    same([chunk.choices[0].finish_reason for chunk in whole if chunk.choices][-1], "length")
    same(len({chunk.id for chunk in whole}), 1)


@check
def a_caller_who_leaves_frees_the_engine():
    for _ in range(6):  # more than the engine has slots
        stream = ask(stream=True, max_tokens=400)
        next(iter(stream))
        stream.close()
    began = time.monotonic()
    ask(max_tokens=2)
    assert time.monotonic() - began < 60, "abandoned answers still occupy the engine"


@check
def a_mistake_is_told_in_the_engines_words():
    error = raises(openai.BadRequestError, lambda: ask(messages=[{"role": "user", "content": [{"type": "nonsense"}]}]))
    assert error.message, error


if __name__ == "__main__":
    main()
