"""OpenAI's Python SDK against responses that the gateway keeps: fetched, continued, listed, deleted, in the background."""
import json
import time

import openai
from openai import OpenAI
from openai.types.responses import Response

from harness import GATEWAY, chats, check, main, raises, same

MODEL = "huggingface/groq/meta-llama/Llama-3.1-8B-Instruct"

client = OpenAI(base_url=GATEWAY + "/v1", api_key="anything", max_retries=0, timeout=20)


def ask(**more) -> Response:
    return client.responses.create(**{"model": MODEL, "input": "Say hello."} | more)


@check
def a_response_is_kept_continued_listed_and_deleted():
    first = ask(input="My name is Ada.", store=True)
    kept = client.responses.retrieve(first.id)
    same((kept.id, kept.output_text, kept.store), (first.id, first.output_text, True))
    items = client.responses.input_items.list(first.id).data
    same([(i.role, i.content[0].text) for i in items], [("user", "My name is Ada.")])
    second = ask(input="What is it?", previous_response_id=first.id, store=True)
    same(second.previous_response_id, first.id)
    sent = json.loads(chats()[-1]["body"])["messages"]
    same([m["role"] for m in sent], ["user", "assistant", "user"])
    same(sent[1]["content"], first.output_text)
    by_name = [{"role": "user", "content": "x"}, {"type": "item_reference", "id": first.output[0].id}]
    ask(input=[*by_name, {"role": "user", "content": "y"}])
    same(json.loads(chats()[-1]["body"])["messages"][1]["content"], first.output_text)
    client.responses.delete(first.id)
    raises(openai.NotFoundError, lambda: client.responses.retrieve(first.id))
    raises(openai.NotFoundError, lambda: ask(previous_response_id=first.id))


@check
def what_is_not_to_be_kept_is_not_kept():
    reply = ask(store=False)
    same(reply.store, False)
    raises(openai.NotFoundError, lambda: client.responses.retrieve(reply.id))


@check
def a_stream_is_kept_as_it_was_told():
    with client.responses.stream(model=MODEL, input="Say hello.") as events:
        for _event in events:
            pass
        final = events.get_final_response()
    kept = client.responses.retrieve(final.id)
    same([i.id for i in kept.output], [i.id for i in final.output])
    same(kept.output_text, final.output_text)


@check
def a_response_in_the_background_is_fetched_when_it_is_done():
    reply = ask(background=True, store=True)
    assert reply.status in ("queued", "in_progress"), reply.status
    until = time.monotonic() + 20
    while reply.status in ("queued", "in_progress") and time.monotonic() < until:
        time.sleep(0.05)
        reply = client.responses.retrieve(reply.id)
    same(reply.status, "completed")
    assert reply.output_text


if __name__ == "__main__":
    main()
