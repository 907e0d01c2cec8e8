"""OpenAI's Python SDK against what the gateway keeps: responses fetched, continued, listed, deleted, in the background, in conversations."""
import asyncio
import json
import time

import openai
import pydantic
from openai import AsyncOpenAI, OpenAI
from openai.types.responses import Response

from harness import GATEWAY, chats, check, fault, main, raises, same

MODEL = "huggingface/groq/meta-llama/Llama-3.1-8B-Instruct"
ANYWHERE = "huggingface/together/sandbox/everywhere"
WEATHER = {
    "type": "function", "name": "get_weather", "strict": True,
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False},
}

client = OpenAI(base_url=GATEWAY + "/v1", api_key="anything", max_retries=0, timeout=20)
stranger = client.with_options(api_key="somebody-else")


def ask(**more) -> Response:
    return client.responses.create(**{"model": MODEL, "input": "Say hello."} | more)


def sent() -> list:
    """The messages of the last chat upstream."""
    return json.loads(chats()[-1]["body"])["messages"]


def done(reply: Response, by=client) -> Response:
    """The response when nothing of it is to come."""
    until = time.monotonic() + 20
    while reply.status in ("queued", "in_progress") and time.monotonic() < until:
        time.sleep(0.05)
        reply = by.responses.retrieve(reply.id)
    return reply


@check
def a_response_is_kept_continued_listed_and_deleted():
    first = ask(input="My name is Ada.", store=True)
    kept = client.responses.retrieve(first.id)
    same(kept.model_dump(), first.model_dump())
    items = client.responses.input_items.list(first.id).data
    same([(i.role, i.content[0].text) for i in items], [("user", "My name is Ada.")])
    second = ask(input="What is it?", previous_response_id=first.id, store=True)
    same(second.previous_response_id, first.id)
    same([m["role"] for m in sent()], ["user", "assistant", "user"])
    same(sent()[1]["content"], first.output_text)
    by_name = [{"role": "user", "content": "x"}, {"type": "item_reference", "id": first.output[0].id}]
    ask(input=[*by_name, {"role": "user", "content": "y"}])
    same(sent()[1]["content"], first.output_text)
    client.responses.delete(first.id)
    raises(openai.NotFoundError, lambda: client.responses.retrieve(first.id))
    raises(openai.NotFoundError, lambda: ask(previous_response_id=first.id))
    ask(input="Still there?", previous_response_id=second.id)
    same(len(sent()), 5)


@check
def an_answer_says_when_it_was_complete_and_whether_it_may_be_shortened():
    for more in ({}, {"background": True}):
        reply = done(ask(truncation="auto", **more))
        said = reply.to_dict()
        assert said["completed_at"] >= said["created_at"], said
        same((reply.truncation, client.responses.retrieve(reply.id).to_dict()), ("auto", said))
    same(ask().truncation, "disabled")
    raises(openai.BadRequestError, lambda: ask(truncation="middle"))


@check
def the_input_of_a_response_in_a_conversation_begins_with_what_was_said():
    conversation = client.conversations.create(items=[{"role": "user", "content": "Zero."}])
    first = ask(input="One.", conversation=conversation.id)
    second = ask(input="Two.", conversation=conversation.id, reasoning={"effort": "low"})
    wanted = ["Zero.", "One.", first.output_text, "Two."]
    listed = [item.content[0].text for item in client.responses.input_items.list(second.id, order="asc", limit=2)]
    same(listed, wanted)
    third = ask(input="Three.", previous_response_id=second.id)
    plain, sealed = (client.responses.input_items.list(third.id, include=include) for include in ([], ["reasoning.encrypted_content"]))
    seals = [[item.encrypted_content for item in items if item.type == "reasoning"] for items in (plain, sealed)]
    same(seals[0], [None])
    assert len(seals[1]) == 1 and seals[1][0], seals


@check
def instructions_are_not_carried_over_and_the_default_is_to_keep():
    first = ask(instructions="Be brief.", metadata={"a": "b"})
    same((first.store, client.responses.retrieve(first.id).metadata), (True, {"a": "b"}))
    ask(input="And?", previous_response_id=first.id)
    assert all(message["role"] != "system" for message in sent()), sent()


@check
def what_is_not_to_be_kept_is_not_kept():
    reply = ask(store=False)
    same(reply.store, False)
    raises(openai.NotFoundError, lambda: client.responses.retrieve(reply.id))


@check
def nobody_else_sees_what_is_kept():
    kept = ask()
    talk = client.conversations.create(items=[{"type": "message", "role": "user", "content": "x"}])
    for look in (
        lambda: stranger.responses.retrieve(kept.id),
        lambda: stranger.responses.delete(kept.id),
        lambda: stranger.responses.cancel(kept.id),
        lambda: stranger.responses.input_items.list(kept.id),
        lambda: stranger.responses.create(model=MODEL, input="x", previous_response_id=kept.id),
        lambda: stranger.responses.create(model=MODEL, input="x", conversation=talk.id),
        lambda: stranger.conversations.retrieve(talk.id),
        lambda: stranger.conversations.items.list(talk.id),
        lambda: stranger.conversations.delete(talk.id),
    ):
        raises(openai.NotFoundError, look)
    same(client.responses.retrieve(kept.id).id, kept.id)


@check
def a_stream_is_kept_as_it_was_told():
    with client.responses.stream(model=MODEL, input="Say hello.") as events:
        for _event in events:
            pass
        final = events.get_final_response()
    kept = client.responses.retrieve(final.id)
    same([i.id for i in kept.output], [i.id for i in final.output])
    same(kept.output_text, final.output_text)
    again = list(client.responses.retrieve(final.id, stream=True))
    same((again[0].type, again[-1].type), ("response.created", "response.completed"))
    same(again[-1].response.model_dump(), kept.model_dump())


@check
def a_tool_is_called_and_its_result_continues_the_response():
    first = ask(input="Please call for the weather.", tools=[WEATHER], model=ANYWHERE, include=["reasoning.encrypted_content"])
    call = next(item for item in first.output if item.type == "function_call")
    result = {"type": "function_call_output", "call_id": call.call_id, "output": '{"celsius": 21}'}
    second = ask(input=[result], previous_response_id=first.id, tools=[WEATHER], model=ANYWHERE)
    assert second.output_text
    same([m["role"] for m in sent()], ["user", "assistant", "tool"])
    same(sent()[1]["tool_calls"][0]["id"], call.call_id)


class City(pydantic.BaseModel):
    name: str
    people: int
    capital: bool


@check
def parsed_output_is_kept_and_continued():
    first = client.responses.parse(model=ANYWHERE, input="A city.", text_format=City)
    assert isinstance(first.output_parsed, City)
    second = client.responses.parse(model=ANYWHERE, input="Another.", text_format=City, previous_response_id=first.id)
    assert isinstance(second.output_parsed, City)
    with client.responses.stream(model=ANYWHERE, input="One more.", text_format=City, previous_response_id=second.id) as events:
        for _event in events:
            pass
        assert isinstance(events.get_final_response().output_parsed, City)
    same(len(sent()), 5)


@check
def what_was_asked_is_listed_in_pages():
    first = ask(input=[{"role": "user", "content": str(n)} for n in range(5)])
    texts = lambda **how: [i.content[0].text for i in client.responses.input_items.list(first.id, **how)]
    same(texts(limit=2), ["4", "3", "2", "1", "0"], "the SDK turns the pages")
    same(texts(limit=2, order="asc"), ["0", "1", "2", "3", "4"])
    page = client.responses.input_items.list(first.id, order="asc", limit=2)
    same(([i.content[0].text for i in page.data], page.has_more), (["0", "1"], True))
    raises(openai.BadRequestError, lambda: client.responses.input_items.list(first.id, limit=1000))


@check
def a_conversation_is_made_spoken_in_changed_and_deleted():
    talk = client.conversations.create(
        metadata={"topic": "names"}, items=[{"type": "message", "role": "user", "content": "My name is Ada."}]
    )
    same((talk.object, talk.metadata), ("conversation", {"topic": "names"}))
    first = ask(input="Hello.", conversation=talk.id)
    same(first.conversation.id, talk.id)
    with client.responses.stream(model=MODEL, input="What is it?", conversation=talk.id) as events:
        for _event in events:
            pass
    same([m["role"] for m in sent()], ["user", "user", "assistant", "user"])
    items = list(client.conversations.items.list(talk.id, order="asc", limit=2))
    same([i.role for i in items], ["user", "user", "assistant", "user", "assistant"])
    one = client.conversations.items.retrieve(items[1].id, conversation_id=talk.id)
    same(one.content[0].text, "Hello.")
    client.conversations.items.delete(one.id, conversation_id=talk.id)
    raises(openai.NotFoundError, lambda: client.conversations.items.retrieve(one.id, conversation_id=talk.id))
    added = client.conversations.items.create(talk.id, items=[{"type": "message", "role": "user", "content": "Bye."}])
    same(added.data[0].content[0].text, "Bye.")
    same(client.conversations.update(talk.id, metadata={"topic": "x"}).metadata, {"topic": "x"})
    same(client.conversations.retrieve(talk.id).metadata, {"topic": "x"})
    same(client.conversations.delete(talk.id).deleted, True)
    raises(openai.NotFoundError, lambda: client.conversations.retrieve(talk.id))
    raises(openai.NotFoundError, lambda: ask(conversation=talk.id))


@check
def a_response_in_the_background_is_fetched_when_it_is_done():
    reply = ask(background=True)
    assert reply.status in ("queued", "in_progress"), reply.status
    reply = done(reply)
    same(reply.status, "completed")
    assert reply.output_text
    ask(input="And?", previous_response_id=reply.id)
    same(len(sent()), 3)


@check
def a_response_in_the_background_is_cancelled():
    fault(kind="stall", before_head=True)
    reply = ask(background=True)
    until = time.monotonic() + 20
    while not chats() and time.monotonic() < until:
        time.sleep(0.05)  # else the stall would wait for the next call
    same(client.responses.cancel(reply.id).status, "cancelled")
    same(client.responses.retrieve(reply.id).status, "cancelled")
    waited = ask()
    raises(openai.BadRequestError, lambda: client.responses.cancel(waited.id))


@check
def a_stream_in_the_background_is_taken_up_again():
    fault(kind="slow", bytes=60, gap_ms=10)
    first, response = [], None
    for event in ask(input="one two three four five", background=True, stream=True):
        first.append(event)
        if event.type == "response.created":
            response = event.response
        if len(first) == 5:
            break  # the line is cut here
    rest = list(client.responses.retrieve(response.id, stream=True, starting_after=first[-1].sequence_number))
    numbers = [event.sequence_number for event in first + rest]
    same(numbers, list(range(len(numbers))))
    same(rest[-1].type, "response.completed")
    text = "".join(event.delta for event in first + rest if event.type == "response.output_text.delta")
    same(text, rest[-1].response.output_text)
    same(client.responses.retrieve(response.id).output_text, text)
    again = list(client.responses.retrieve(response.id, stream=True))
    same([e.model_dump() for e in again], [e.model_dump() for e in first + rest], "told again after its end")


@check
def a_response_in_the_background_fails_as_its_call_would():
    # A backend that says so is left alone for a while: one that nothing else here needs.
    fault(kind="status", status=429)
    failed = done(ask(background=True, model="huggingface/novita/sandbox/everywhere"))
    same((failed.status, failed.error.code), ("failed", "rate_limit_exceeded"))
    fault(kind="truncate", after=2)
    events = list(ask(background=True, stream=True, model="huggingface/scaleway/sandbox/everywhere"))
    same((events[-1].type, events[-1].response.status), ("response.failed", "failed"))
    same(client.responses.retrieve(events[-1].response.id).status, "failed")


@check
async def the_async_client_does_all_of_it():
    async with AsyncOpenAI(base_url=GATEWAY + "/openai/v1", api_key="anything", max_retries=0, timeout=20) as caller:
        first = await caller.responses.create(model=MODEL, input="Hello.")
        second = await caller.responses.create(model=MODEL, input="And?", previous_response_id=first.id)
        listed = [item async for item in caller.responses.input_items.list(second.id, order="asc")]
        same([i.role for i in listed], ["user", "assistant", "user"])
        events = [e async for e in await caller.responses.create(model=MODEL, input="x", background=True, stream=True)]
        same(events[-1].type, "response.completed")
        waiting = await asyncio.gather(*(caller.responses.create(model=MODEL, input=str(n), background=True) for n in range(8)))
        for reply in waiting:
            same((await asyncio.to_thread(done, reply)).status, "completed")
        await caller.responses.delete(second.id)


@check
def tokens_are_counted_beforehand():
    counted = client.responses.input_tokens.count(model=MODEL, input="How many tokens are this?")
    assert 3 < counted.input_tokens < 30, counted
    same(chats(), [])


if __name__ == "__main__":
    main()
