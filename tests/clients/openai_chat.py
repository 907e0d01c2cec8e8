"""OpenAI's Python SDK against the gateway: only the base URL is changed. Everything an application does with chat."""
import asyncio
import json

import openai
import pydantic
from openai import AsyncOpenAI, OpenAI

from harness import GATEWAY, chats, check, fault, main, raises, same

MODEL = "huggingface/groq/meta-llama/Llama-3.1-8B-Instruct"
SEEING = "huggingface/together/sandbox/everywhere"
EVERYWHERE = [
    "hf-inference", "cerebras", "cohere", "featherless-ai", "fireworks-ai", "groq", "novita", "nscale", "ovhcloud",
    "publicai", "scaleway", "together", "zai-org", "baseten", "deepinfra",
]
HELLO = [{"role": "user", "content": "Say hello."}]
# The sandbox calls a tool when it is told to, and two when it is told to do so in parallel.
CALL = [{"role": "user", "content": "Please call for the weather."}]
CALL_TWO = [{"role": "user", "content": "Please call for weather and time in parallel."}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather at a place",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city"],
        },
    },
}
TIME = {
    "type": "function",
    "function": {
        "name": "get_time",
        "parameters": {"type": "object", "properties": {"zone": {"type": "string"}}, "required": ["zone"]},
    },
}
# One black pixel.
PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="

# `max_retries=0`: a test sees the first answer, not the SDK's patience.
client = OpenAI(base_url=GATEWAY + "/v1", api_key="anything", max_retries=0, timeout=20)


def ask(**more):
    return client.chat.completions.create(**{"model": MODEL, "messages": HELLO} | more)


@check
def a_chat_answers_as_the_schema_promises():
    reply = ask()
    same(reply.object, "chat.completion")
    assert reply.id and reply.created > 0 and reply.model
    choice = reply.choices[0]
    same((choice.index, choice.finish_reason, choice.message.role), (0, "stop", "assistant"))
    assert choice.message.content
    assert reply.usage.prompt_tokens > 0 and reply.usage.completion_tokens > 0
    same(reply.usage.total_tokens, reply.usage.prompt_tokens + reply.usage.completion_tokens)


@check
def every_backend_answers_plain_and_streamed_alike():
    for backend in EVERYWHERE:
        model = f"huggingface/{backend}/sandbox/everywhere"
        plain = ask(model=model).choices[0]
        pieces, finish = [], None
        for chunk in ask(model=model, stream=True):
            for choice in chunk.choices:
                pieces.append(choice.delta.content or "")
                finish = choice.finish_reason or finish
        same("".join(pieces), plain.message.content, f"{backend}: streamed and plain text")
        same(finish, plain.finish_reason, f"{backend}: finish reasons")


@check
def the_other_prefix_serves_too():
    other = OpenAI(base_url=GATEWAY + "/openai/v1", api_key="x", max_retries=0)
    assert other.chat.completions.create(model=MODEL, messages=HELLO).choices[0].message.content


@check
def a_model_is_found_by_every_kind_of_name():
    for name in (
        "huggingface/auto/meta-llama/Llama-3.1-8B-Instruct",
        "huggingface/meta-llama/Llama-3.1-8B-Instruct",
        "huggingface/meta-llama/Llama-3.1-8B-Instruct:fastest",
        "meta-llama/Llama-3.1-8B-Instruct:groq",
        "meta-llama/Llama-3.1-8B-Instruct",
        "huggingface/fireworks/meta-llama/Llama-3.1-8B-Instruct",
    ):
        assert ask(model=name).choices[0].message.content, name


@check
def usage_in_a_stream_comes_only_when_asked_for_and_then_last():
    without = list(ask(stream=True))
    assert all(chunk.usage is None for chunk in without)
    with_usage = list(ask(stream=True, stream_options={"include_usage": True}))
    same([c.usage is not None for c in with_usage], [False] * (len(with_usage) - 1) + [True])
    same(with_usage[-1].choices, [])
    same(with_usage[-1].usage.total_tokens, ask().usage.total_tokens)


@check
def the_stream_helper_builds_the_plain_answer():
    with client.chat.completions.stream(model=MODEL, messages=HELLO) as stream:
        for _event in stream:
            pass
        final = stream.get_final_completion()
    same(final.choices[0].message.content, ask().choices[0].message.content)


@check
async def the_async_client_chats_and_streams():
    async with AsyncOpenAI(base_url=GATEWAY + "/v1", api_key="x", max_retries=0, timeout=20) as caller:
        plain = await caller.chat.completions.create(model=MODEL, messages=HELLO)
        stream = await caller.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
        text = "".join([c.choices[0].delta.content or "" async for c in stream if c.choices])
        same(text, plain.choices[0].message.content)


@check
async def fifty_streams_at_once_do_not_mix():
    async with AsyncOpenAI(base_url=GATEWAY + "/v1", api_key="x", max_retries=0, timeout=40) as caller:

        async def one(n):
            messages = [{"role": "user", "content": f"This is caller number {n}."}]
            plain = await caller.chat.completions.create(model=MODEL, messages=messages)
            stream = await caller.chat.completions.create(model=MODEL, messages=messages, stream=True)
            text = "".join([c.choices[0].delta.content or "" async for c in stream if c.choices])
            same(text, plain.choices[0].message.content)
            return text

        texts = await asyncio.gather(*(one(n) for n in range(50)))
        assert all(f"caller number {n}." in text for n, text in enumerate(texts)), texts[:3]


@check
def a_tool_is_called_and_its_result_is_answered():
    first = ask(messages=CALL, tools=[WEATHER], tool_choice="auto")
    choice = first.choices[0]
    same(choice.finish_reason, "tool_calls")
    call = choice.message.tool_calls[0]
    same((call.type, call.function.name), ("function", "get_weather"))
    assert isinstance(json.loads(call.function.arguments), dict) and call.id
    second = ask(
        tools=[WEATHER],
        messages=[
            *CALL,
            choice.message.model_dump(),  # as applications replay it: with refusal, annotations and nulls
            {"role": "tool", "tool_call_id": call.id, "content": '{"celsius": 21}'},
        ],
    )
    assert second.choices[0].message.content


@check
def a_replayed_message_is_taken_by_every_backend():
    for backend in EVERYWHERE:
        model = f"huggingface/{backend}/sandbox/everywhere"
        first = ask(model=model, tools=[WEATHER], tool_choice="required").choices[0].message
        replay = [*HELLO, first.model_dump()]
        replay += [{"role": "tool", "tool_call_id": c.id, "content": "{}"} for c in first.tool_calls or []]
        assert ask(model=model, tools=[WEATHER], messages=replay).choices[0].message.content, backend


@check
def parallel_tool_calls_arrive_whole_and_streamed_alike():
    more = {"messages": CALL_TWO, "tools": [WEATHER, TIME], "parallel_tool_calls": True, "tool_choice": "required"}
    plain = ask(**more).choices[0].message.tool_calls
    with client.chat.completions.stream(model=MODEL, **more) as stream:
        for _event in stream:
            pass
        streamed = stream.get_final_completion().choices[0].message.tool_calls

    def shown(calls):
        return [(c.function.name, json.loads(c.function.arguments)) for c in calls]

    same(shown(streamed), shown(plain))
    same(len(plain), 2)
    same(len({c.id for c in plain}), 2)


class City(pydantic.BaseModel):
    name: str
    people: int
    capital: bool


@check
def structured_output_is_parsed_at_every_dialect_of_json_schema():
    for backend in EVERYWHERE:
        reply = client.chat.completions.parse(
            model=f"huggingface/{backend}/sandbox/everywhere",
            messages=[{"role": "user", "content": "A city."}],
            response_format=City,
        )
        assert isinstance(reply.choices[0].message.parsed, City), backend


@check
def pictures_are_passed_on():
    content = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": PIXEL}}]
    assert ask(model=SEEING, messages=[{"role": "user", "content": content}]).choices[0].message.content


@check
def the_developer_role_and_what_only_openai_understands_do_no_harm():
    for backend in EVERYWHERE:
        reply = ask(
            model=f"huggingface/{backend}/sandbox/everywhere",
            messages=[{"role": "developer", "content": "Be brief."}, *HELLO],
            store=False,
            metadata={"trace": "1"},
            service_tier="auto",
            user="someone",
            prompt_cache_key="k",
        )
        assert reply.choices[0].message.content, backend


@check
def sampling_parameters_and_extra_body_reach_the_backend():
    ask(
        model="huggingface/novita/sandbox/everywhere",
        temperature=0.2, top_p=0.9, seed=7, stop=["END"], max_tokens=50, presence_penalty=0.1, frequency_penalty=0.1,
        extra_body={"top_k": 40, "a_member_that_nobody_knows": {"kept": [1, 2.50]}},
    )
    sent = json.loads(chats()[-1]["body"])
    expected = {"temperature": 0.2, "top_p": 0.9, "seed": 7, "stop": ["END"], "top_k": 40, "presence_penalty": 0.1}
    same({k: sent.get(k) for k in expected}, expected)
    same(sent["a_member_that_nobody_knows"], {"kept": [1, 2.5]})
    same(next(iter(sent)), "model", "the first member")


@check
def models_are_listed_with_their_routes():
    models = list(client.models.list())
    ids = {m.id for m in models}
    assert "huggingface/groq/meta-llama/Llama-3.1-8B-Instruct" in ids, sorted(ids)[:20]
    assert all(m.object == "model" and m.id.startswith(("huggingface/", "openai/", "anthropic/")) for m in models)
    assert {"openai/gpt-4o", "anthropic/claude-sonnet-4-5"} < ids, sorted(ids)[:20]
    one = client.models.retrieve("huggingface/groq/meta-llama/Llama-3.1-8B-Instruct")
    same(one.id, "huggingface/groq/meta-llama/Llama-3.1-8B-Instruct")


@check
def the_request_id_is_in_the_headers_and_in_errors():
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=HELLO)
    assert raw.headers["x-request-id"] and raw.parse().choices
    error = raises(openai.NotFoundError, lambda: ask(model="huggingface/auto/nobody/has-this"))
    assert error.request_id and error.response.headers["x-request-id"] == error.request_id


@check
def mistakes_of_the_caller_are_bad_requests_that_name_the_member():
    error = raises(openai.BadRequestError, lambda: client.post("/chat/completions", body={"model": MODEL}, cast_to=object))
    same((error.type, error.param), ("invalid_request_error", "messages"))
    raises(openai.BadRequestError, lambda: ask(model="huggingface/nowhere:at all/x"))
    error = raises(openai.BadRequestError, lambda: ask(model="huggingface/fal-ai/fal-ai/flux/dev"))
    same(error.code, "unsupported_operation")


@check
def an_unknown_path_and_an_unknown_model_are_not_found():
    raises(openai.NotFoundError, lambda: client.post("/nothing/here", body={}, cast_to=object))
    raises(openai.NotFoundError, lambda: ask(model="huggingface/auto/nobody/has-this"))
    raises(openai.NotFoundError, lambda: client.models.retrieve("huggingface/groq/nobody/has-this"))


@check
def a_body_too_large_for_hugging_face_is_refused_before_anything_is_sent():
    error = raises(openai.APIStatusError, lambda: ask(messages=[{"role": "user", "content": "x" * 2_200_000}]))
    same(error.status_code, 413)
    assert "2097152" in error.message.replace(",", "").replace("_", ""), error.message
    same(chats(), [], "what the sandbox saw")


STATUSES = [
    (401, openai.AuthenticationError),
    (402, openai.APIStatusError),
    (403, openai.PermissionDeniedError),
    (413, openai.APIStatusError),
    (422, openai.UnprocessableEntityError),
    (429, openai.RateLimitError),
    (500, openai.InternalServerError),
    (503, openai.InternalServerError),
]


@check
def a_backends_errors_come_out_as_the_sdks_classes():
    for status, expected in STATUSES:
        fault(kind="status", status=status)
        error = raises(expected, ask)
        same(error.status_code, status)
        assert error.type and error.message and error.request_id, (status, error.body)
        assert "hf_" not in error.message, error.message


@check
def a_rate_limit_says_when_to_come_again():
    fault(kind="rate_limited", retry_after="7")
    error = raises(openai.RateLimitError, ask)
    same(error.response.headers.get("retry-after"), "7")


@check
def a_stream_that_breaks_ends_with_an_error_and_never_in_silence():
    for kind in ("truncate", "cut", "reset", "stream_error"):
        fault(kind=kind, after=2)
        pieces = []

        def consume():
            for chunk in ask(stream=True):
                pieces.append(chunk)

        try:
            consume()
        except openai.APIError as error:
            assert not isinstance(error, openai.APIStatusError) or not pieces, (kind, error)
            continue
        raise AssertionError(f"{kind}: the stream ended as if it were whole")


if __name__ == "__main__":
    main()
