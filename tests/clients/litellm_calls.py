"""LiteLLM as a client of the gateway's doors: OpenAI's, its Responses, Anthropic's and Google's. Only the base URL is changed."""
import json
import os

# Without this, LiteLLM fetches a list of prices when it is imported, and waits for it.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
import pydantic

litellm.suppress_debug_info = True

from harness import GATEWAY, check, chats, fault, main, same

NAME = "huggingface/groq/meta-llama/Llama-3.1-8B-Instruct"
HELLO = [{"role": "user", "content": "Say hello."}]
# The sandbox calls a tool when it is told to, and two when it is told to do so in parallel.
CALL = [{"role": "user", "content": "Please call for the weather."}]
CALL_TWO = [{"role": "user", "content": "Please call for weather and time in parallel."}]
# LiteLLM's provider, and the base URL that it wants for that provider.
WAYS = {
    "openai": "/litellm/v1",
    "litellm_proxy": "/litellm",
    "hosted_vllm": "/v1",
    "openai/responses": "/v1",
    "anthropic": "/litellm/anthropic",
    "gemini": "/litellm/genai/v1beta",
}


def function(name, member):
    parameters = {"type": "object", "properties": {member: {"type": "string"}}, "required": [member]}
    return {"type": "function", "function": {"name": name, "description": f"The {member}'s", "parameters": parameters}}


WEATHER, TIME = function("get_weather", "city"), function("get_time", "zone")


def ask(way="openai", **more):
    base = {"api_base": GATEWAY + WAYS[way], "api_key": "anything", "max_retries": 0, "timeout": 20}
    return litellm.completion(**{"model": f"{way}/{NAME}", "messages": HELLO} | base | more)


def whole(stream, messages):
    return litellm.stream_chunk_builder(list(stream), messages=messages)


def called(reply):
    return [(c.function.name, json.loads(c.function.arguments)) for c in reply.choices[0].message.tool_calls or []]


@check
def a_stream_is_built_into_the_plain_answer():
    for way in WAYS:
        plain, built = ask(way), whole(ask(way, stream=True, stream_options={"include_usage": True}), HELLO)
        assert "Say hello." in plain.choices[0].message.content, (way, plain)
        same(built.choices[0].message.content, plain.choices[0].message.content, way)
        same(built.choices[0].finish_reason, plain.choices[0].finish_reason, way)
        assert plain.usage.prompt_tokens > 0, way
        same(built.usage.completion_tokens, plain.usage.completion_tokens, way)


@check
async def the_async_calls_stream_too():
    base = {"api_base": GATEWAY + "/v1", "api_key": "x", "model": f"openai/{NAME}", "messages": HELLO}
    plain = await litellm.acompletion(**base)
    stream = await litellm.acompletion(**base, stream=True)
    text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
    same(text, plain.choices[0].message.content)


@check
def a_tool_is_called_and_its_result_is_answered():
    for way in WAYS:
        plain = ask(way, messages=CALL, tools=[WEATHER])
        built = whole(ask(way, messages=CALL, tools=[WEATHER], stream=True), CALL)
        same([name for name, _ in called(plain)], ["get_weather"], way)
        same(called(built), called(plain), way)
        for reply in (plain, built):
            message = reply.choices[0].message
            result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "name": "get_weather", "content": "21 degrees"}
            answer = ask(way, tools=[WEATHER], messages=[*CALL, message.model_dump(), result])
            assert "21 degrees" in answer.choices[0].message.content, (way, answer)


@check
def parallel_calls_are_built_into_the_plain_ones():
    for way in WAYS:
        more = {"messages": CALL_TWO, "tools": [WEATHER, TIME], "tool_choice": "required"}
        plain, built = ask(way, **more), whole(ask(way, **more, stream=True), CALL_TWO)
        same([name for name, _ in called(plain)], ["get_weather", "get_time"], way)
        same(called(built), called(plain), way)


class City(pydantic.BaseModel):
    name: str
    people: int


@check
def structured_output_fits_its_class():
    # To a Google model that it does not know, LiteLLM tells the schema in words, which the sandbox does not read.
    for way in set(WAYS) - {"gemini"}:
        reply = ask(way, messages=[{"role": "user", "content": "A city."}], response_format=City)
        City.model_validate_json(reply.choices[0].message.content)


@check
def what_was_thought_is_told_and_goes_back():
    asked = {
        "openai": {"reasoning_effort": "low", "allowed_openai_params": ["reasoning_effort"]},
        "anthropic": {
            "thinking": {"type": "enabled", "budget_tokens": 2048}, "allowed_openai_params": ["thinking"], "max_tokens": 4000,
        },
    }
    for way, more in asked.items():
        message = ask(way, **more).choices[0].message
        assert message.reasoning_content, (way, message)
        built = whole(ask(way, **more, stream=True), HELLO).choices[0].message
        same(built.reasoning_content, message.reasoning_content, way)
        ask(way, **more, messages=[*HELLO, message.model_dump(), {"role": "user", "content": "Are you sure?"}])
        assert message.reasoning_content in chats()[-1]["body"], (way, chats()[-1]["body"])


@check
def responses_legacy_completions_and_embeddings_work():
    base = {"api_base": GATEWAY + "/v1", "api_key": "anything"}
    reply = litellm.responses(model=f"openai/{NAME}", input="Say hello.", **base)
    assert "Say hello." in reply.output[-1].content[0].text, reply
    last = list(litellm.responses(model=f"openai/{NAME}", input="Say hello.", stream=True, **base))[-1]
    same((last.type, last.response.output[-1].content[0].text), ("response.completed", reply.output[-1].content[0].text))
    legacy = litellm.text_completion(model=f"text-completion-openai/{NAME}", prompt="Say hello.", **base)
    assert "Say hello." in legacy.choices[0].text, legacy
    vectors = litellm.embedding(model="openai/huggingface/hf-inference/BAAI/bge-small-en-v1.5", input=["one", "two"], **base)
    same(len(vectors.data), 2)


@check
def azures_form_names_the_model_in_the_path():
    base = {"api_base": GATEWAY, "api_key": "anything", "api_version": "2025-04-01-preview", "messages": HELLO}
    plain = litellm.completion(model=f"azure/{NAME}", **base)
    built = whole(litellm.completion(model=f"azure/{NAME}", stream=True, **base), HELLO)
    same(built.choices[0].message.content, plain.choices[0].message.content)


ERRORS = [
    (400, litellm.BadRequestError), (401, litellm.AuthenticationError), (429, litellm.RateLimitError),
    (500, litellm.InternalServerError), (503, litellm.ServiceUnavailableError),
]


@check
def a_backends_errors_come_out_as_litellms_classes():
    for way in ("openai", "anthropic"):
        for status, expected in ERRORS:
            fault(kind="status", status=status)
            try:
                ask(way)
            except expected:
                continue
            raise AssertionError(f"{way}: no {expected.__name__}")
        try:
            ask(way, model=f"{way}/huggingface/auto/nobody/has-this")
        except litellm.NotFoundError as error:
            assert "nobody/has-this" in str(error)
        else:
            raise AssertionError(f"{way}: no NotFoundError")


@check
def a_stream_that_breaks_is_an_error_and_no_answer():
    for way in ("openai", "anthropic"):
        fault(kind="stream_error", after=2)
        try:
            built = whole(ask(way, stream=True), HELLO)
        except Exception as error:  # its class depends on how far the stream came
            assert "Error" in type(error).__name__, error
            continue
        raise AssertionError(f"{way}: {built}")


if __name__ == "__main__":
    main()
