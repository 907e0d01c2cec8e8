"""LangChain's `ChatOpenAI`, `ChatAnthropic` and their kin against the gateway: only the base URL is changed."""
import functools
import operator

import anthropic
import openai
import pydantic
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import AzureChatOpenAI, ChatOpenAI, OpenAI, OpenAIEmbeddings

from harness import GATEWAY, chats, check, fault, main, same

MODEL = "huggingface/groq/meta-llama/Llama-3.1-8B-Instruct"
ANYWHERE = "huggingface/together/sandbox/everywhere"
HELLO = "Say hello."
# The sandbox calls a tool when it is told to, and two when it is told to do so in parallel.
CALL, CALL_TWO = "Please call for the weather.", "Please call for weather and time in parallel."
KEY = {"api_key": "anything", "max_retries": 0, "timeout": 20}


def openai_chat(**more):
    return ChatOpenAI(**{"base_url": GATEWAY + "/v1", "model": MODEL} | KEY | more)


def openai_responses(**more):
    return openai_chat(use_responses_api=True, **more)


def anthropic_chat(**more):
    return ChatAnthropic(**{"base_url": GATEWAY + "/anthropic", "model": MODEL, "max_tokens": 1000} | KEY | more)


MODELS = [openai_chat, openai_responses, anthropic_chat]


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"21 degrees in {city}"


@tool
def get_time(zone: str) -> str:
    """The time in a zone."""
    return f"noon in {zone}"


def added_up(chunks) -> AIMessageChunk:
    """What LangChain's own addition makes of a stream."""
    return functools.reduce(operator.add, chunks)


def called(message):
    return [(call["name"], call["args"]) for call in message.tool_calls]


@check
def a_stream_adds_up_to_the_plain_answer():
    for make in MODELS:
        plain, whole = make().invoke(HELLO), added_up(make(stream_usage=True).stream(HELLO))
        assert HELLO in plain.text, plain
        same(whole.text, plain.text, make.__name__)
        for used in (plain.usage_metadata, whole.usage_metadata):
            assert used["input_tokens"] > 0 and used["output_tokens"] > 0, (make.__name__, used)
        same(whole.usage_metadata["output_tokens"], plain.usage_metadata["output_tokens"], make.__name__)


@check
async def the_async_calls_stream_too():
    for make in MODELS:
        plain = await make().ainvoke(HELLO)
        whole = added_up([chunk async for chunk in make().astream(HELLO)])
        same(whole.text, plain.text, make.__name__)


@check
def several_prompts_are_answered_in_one_batch():
    for make in MODELS:
        replies = make().batch([f"This is number {n}." for n in range(5)])
        assert all(f"number {n}." in reply.text for n, reply in enumerate(replies)), replies


@check
def a_tool_is_called_and_its_result_is_answered():
    for make in MODELS:
        model = make().bind_tools([get_weather])
        asked = HumanMessage(CALL)
        plain, whole = model.invoke([asked]), added_up(model.stream([asked]))
        same([name for name, _ in called(plain)], ["get_weather"], make.__name__)
        same(called(whole), called(plain), make.__name__)
        for message in (plain, whole):
            result = get_weather.invoke(message.tool_calls[0])
            assert isinstance(result, ToolMessage)
            assert "21 degrees" in model.invoke([asked, message, result]).text, make.__name__


@check
def parallel_calls_add_up_to_the_plain_ones():
    for make in MODELS:
        model = make().bind_tools([get_weather, get_time], tool_choice="any")
        plain, whole = model.invoke(CALL_TWO), added_up(model.stream(CALL_TWO))
        same([name for name, _ in called(plain)], ["get_weather", "get_time"], make.__name__)
        same(called(whole), called(plain), make.__name__)
        same(len({call["id"] for call in whole.tool_calls}), 2, make.__name__)


class City(pydantic.BaseModel):
    """A city."""

    name: str
    people: int


@check
def structured_output_comes_as_the_class_that_was_asked_for():
    for make in MODELS:
        for method in ("json_schema", "function_calling"):
            city = make().with_structured_output(City, method=method).invoke("A city.")
            assert isinstance(city, City), (make.__name__, method, city)
    assert openai_chat().with_structured_output(None, method="json_mode").invoke("A city as JSON.")


@check
def what_was_thought_is_kept_in_the_conversation():
    model = anthropic_chat(thinking={"type": "enabled", "budget_tokens": 2048}, max_tokens=4000)
    plain, whole = model.invoke(HELLO), added_up(model.stream(HELLO))
    for message in (plain, whole):
        same([block["type"] for block in message.content], ["thinking", "text"])
        assert message.content[0]["signature"]
        model.invoke([HumanMessage(HELLO), message, HumanMessage("Are you sure?")])
        assert message.content[0]["thinking"] in chats()[-1]["body"]
    model = openai_responses(reasoning={"effort": "low", "summary": "auto"}, include=["reasoning.encrypted_content"])
    plain, whole = model.invoke(HELLO), added_up(model.stream(HELLO))
    for message in (plain, whole):
        thought = next(block for block in message.content if block["type"] == "reasoning")
        assert thought["encrypted_content"] and thought["summary"][0]["text"], thought
        model.invoke([HumanMessage(HELLO), message, HumanMessage("Are you sure?")])
        assert thought["summary"][0]["text"] in chats()[-1]["body"], chats()[-1]["body"]


@check
def a_picture_is_passed_on():
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
    picture = {"type": "image", "base64": pixel, "mime_type": "image/png"}
    for make in MODELS:
        reply = make(model=ANYWHERE).invoke([HumanMessage([{"type": "text", "text": "What is this?"}, picture])])
        assert "[image image/png " in reply.text, (make.__name__, reply.text)


@check
def legacy_completions_and_embeddings_work():
    model = OpenAI(base_url=GATEWAY + "/v1", model=MODEL, **KEY)
    plain = model.invoke(HELLO)
    assert HELLO in plain, plain
    same("".join(model.stream(HELLO)), plain)
    # By default LangChain would cut texts with OpenAI's tokenizer, which it downloads.
    vectors = OpenAIEmbeddings(
        base_url=GATEWAY + "/v1", model="huggingface/hf-inference/BAAI/bge-small-en-v1.5", check_embedding_ctx_length=False, **KEY
    )
    one, two = vectors.embed_documents(["first", "second"])
    assert len(one) == len(two) > 100 and one != two
    same(vectors.embed_query("first"), one)


@check
def azures_form_names_the_model_in_the_path():
    model = AzureChatOpenAI(azure_endpoint=GATEWAY, azure_deployment=MODEL, api_version="2025-04-01-preview", **KEY)
    plain = model.invoke(HELLO)
    same(added_up(model.stream(HELLO)).text, plain.text)
    same(called(model.bind_tools([get_weather]).invoke(CALL))[0][0], "get_weather")


@check
def the_prefix_of_other_gateways_leads_to_every_door():
    plain = openai_chat().invoke(HELLO).text
    for base in ("/langchain", "/langchain/v1", "/langchain/openai/v1"):
        same(openai_chat(base_url=GATEWAY + base).invoke(HELLO).text, plain, base)
        same(openai_responses(base_url=GATEWAY + base).invoke(HELLO).text, plain, base)
    for base in ("/langchain", "/langchain/anthropic"):
        same(added_up(anthropic_chat(base_url=GATEWAY + base).stream(HELLO)).text, plain, base)


@check
def errors_are_those_of_the_sdk_beneath():
    classes = {400: "BadRequestError", 401: "AuthenticationError", 429: "RateLimitError", 500: "InternalServerError"}
    for make, sdk in zip(MODELS, (openai, openai, anthropic)):
        for status, name in classes.items():
            fault(kind="status", status=status)
            # LangChain has subclasses of its own for some.
            try:
                make().invoke(HELLO)
            except getattr(sdk, name) as error:
                same(error.status_code, status)
            else:
                raise AssertionError(f"{make.__name__}: no {name}")
        try:
            make(model="huggingface/auto/nobody/has-this").invoke(HELLO)
        except sdk.NotFoundError as error:
            assert "nobody/has-this" in str(error)
        else:
            raise AssertionError(f"{make.__name__}: no NotFoundError")


@check
def a_stream_that_breaks_is_an_error_and_no_answer():
    for make, sdk in zip(MODELS, (openai, openai, anthropic)):
        for kind in ("truncate", "cut", "stream_error"):
            fault(kind=kind, after=2)
            try:
                whole = added_up(make().stream(HELLO))
            except (sdk.APIError, ValueError) as error:  # of Responses' event `error` LangChain makes a ValueError
                assert isinstance(error, sdk.APIError) or "server_error" in str(error), error
                continue
            raise AssertionError(f"{make.__name__}, {kind}: {whole}")


if __name__ == "__main__":
    main()
