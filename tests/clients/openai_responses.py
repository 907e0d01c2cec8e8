"""OpenAI's Python SDK against the gateway's Responses: every object and event is checked strictly against the SDK's own types."""
import json

import openai
import pydantic
from openai import AsyncOpenAI, OpenAI
from openai.types.responses import Response, ResponseStreamEvent

from harness import GATEWAY, chats, check, fault, main, raises, same

MODEL = "huggingface/groq/meta-llama/Llama-3.1-8B-Instruct"
ANYWHERE = "huggingface/together/sandbox/everywhere"
EVERYWHERE = ["hf-inference", "cerebras", "cohere", "fireworks-ai", "groq", "novita", "scaleway", "together", "zai-org"]
HELLO = "Say hello."
# The sandbox calls a tool when it is told to, and two when it is told to do so in parallel.
CALL = "Please call for the weather."
CALL_TWO = "Please call for weather and time in parallel."


def function(name, member):
    parameters = {
        "type": "object", "properties": {member: {"type": "string"}}, "required": [member], "additionalProperties": False,
    }
    return {"type": "function", "name": name, "parameters": parameters, "strict": True}


WEATHER = function("get_weather", "city")
TIME = function("get_time", "zone")
# One black pixel.
PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
EVENT = pydantic.TypeAdapter(ResponseStreamEvent)

client = OpenAI(base_url=GATEWAY + "/v1", api_key="anything", max_retries=0, timeout=20)


def request(**more):
    return {"model": MODEL, "input": HELLO, "store": False} | more


def ask(**more) -> Response:
    """The answer, as its bytes, checked strictly."""
    raw = client.responses.with_raw_response.create(**request(**more))
    return Response.model_validate_json(raw.text, strict=True)


def stream(**more) -> list:
    """The events, as their bytes, checked strictly: each has its type in its head, and numbers have no gap."""
    events = []
    with client.responses.with_streaming_response.create(**request(**more), stream=True) as reply:
        kind = None
        for line in reply.iter_lines():
            if line.startswith("event: "):
                kind = line[7:]
            elif line.startswith("data: "):
                event = EVENT.validate_json(line[6:], strict=True)
                same((event.type, event.sequence_number), (kind, len(events)))
                events.append(event)
    same([e.type for e in events[:2]], ["response.created", "response.in_progress"])
    return events


def said(response):
    """What a response says, without its ids."""
    kept = ("type", "content", "summary", "name", "namespace", "arguments", "input", "status", "role")
    return [{k: v for k, v in item.model_dump().items() if k in kept} for item in response.output]


def alike(**more) -> Response:
    """The plain answer, which the stream's end and the deltas added up must equal."""
    plain = ask(**more)
    events = stream(**more)
    same(events[-1].type, f"response.{plain.status}")
    same(said(events[-1].response), said(plain), "streamed and plain")
    same("".join(e.delta for e in events if e.type == "response.output_text.delta"), plain.output_text)
    done = [e.item for e in events if e.type == "response.output_item.done"]
    same([d.model_dump() for d in done], [o.model_dump() for o in events[-1].response.output], "items")
    return plain


@check
def a_response_answers_as_the_schema_promises():
    reply = alike()
    same((reply.object, reply.status, reply.error), ("response", "completed", None))
    assert reply.id.startswith("resp_") and reply.created_at > 0 and reply.output_text
    same(reply.usage.total_tokens, reply.usage.input_tokens + reply.usage.output_tokens)


@check
def every_backend_answers_plain_and_streamed_alike():
    for backend in EVERYWHERE:
        assert alike(model=f"huggingface/{backend}/sandbox/everywhere").output_text, backend


@check
def the_example_of_the_documentation_runs():
    reply = ask(model="huggingface/groq/meta-llama/Llama-3.1-70B-Instruct", max_output_tokens=50)
    assert reply.output_text and reply.max_output_tokens == 50


@check
def settings_are_repeated_and_reach_the_backend():
    reply = ask(
        model=ANYWHERE, instructions="Be brief.", temperature=0.5, top_p=0.5, max_output_tokens=40, metadata={"a": "b"},
        extra_body={"top_k": 40},
    )
    same((reply.instructions, reply.temperature, reply.top_p, reply.metadata), ("Be brief.", 0.5, 0.5, {"a": "b"}))
    sent = json.loads(chats()[-1]["body"])
    same((sent["temperature"], sent["top_p"], sent["top_k"]), (0.5, 0.5, 40))
    same(sent["messages"][0], {"role": "system", "content": "Be brief."})
    assert 40 in (sent.get("max_tokens"), sent.get("max_completion_tokens")), sent


@check
def a_limit_makes_an_incomplete_response():
    reply = alike(max_output_tokens=1)
    same((reply.status, reply.incomplete_details.reason), ("incomplete", "max_output_tokens"))


@check
def a_tool_is_called_and_its_result_is_answered():
    first = alike(input=CALL, tools=[WEATHER])
    call = next(item for item in first.output if item.type == "function_call")
    same(call.name, "get_weather")
    assert isinstance(json.loads(call.arguments), dict) and call.call_id
    result = {"type": "function_call_output", "call_id": call.call_id, "output": '{"celsius": 21}'}
    replay = [{"role": "user", "content": CALL}, *(item.model_dump() for item in first.output), result]
    assert ask(input=replay, tools=[WEATHER]).output_text


@check
def parallel_tool_calls_are_items_of_their_own():
    reply = alike(input=CALL_TWO, tools=[WEATHER, TIME], tool_choice="required", parallel_tool_calls=True)
    calls = [item for item in reply.output if item.type == "function_call"]
    same((len(calls), len({c.call_id for c in calls}), len({c.id for c in calls})), (2, 2, 2))


@check
def a_custom_tool_is_called_with_text_and_a_namespace_is_kept():
    reply = alike(input=CALL, tools=[{"type": "custom", "name": "patch"}], tool_choice="required")
    call = next(item for item in reply.output if item.type == "custom_tool_call")
    same(call.name, "patch")
    assert not call.input.startswith("{"), call.input
    space = {"type": "namespace", "name": "space", "description": "d", "tools": [WEATHER]}
    reply = alike(input=CALL, tools=[space], tool_choice="required")
    call = next(item for item in reply.output if item.type == "function_call")
    same((call.namespace, call.name), ("space", "get_weather"))


@check
def tools_that_only_their_vendor_can_run_are_left_out_and_named_unless_demanded():
    raw = client.responses.with_raw_response.create(**request(tools=[{"type": "web_search"}, WEATHER]))
    assert "tools.web_search" in raw.headers["x-ironbow-dropped"]
    assert raw.parse().output
    error = raises(openai.BadRequestError, lambda: ask(tools=[{"type": "web_search"}], tool_choice={"type": "web_search"}))
    same((error.code, error.param), ("unsupported_parameter", "tool_choice"))
    lenient = {"x-ironbow-lenient": "true"}
    assert ask(tools=[{"type": "web_search"}], tool_choice={"type": "web_search"}, extra_headers=lenient).output_text


class City(pydantic.BaseModel):
    name: str
    people: int
    capital: bool


@check
def structured_output_is_parsed_plain_and_streamed():
    for backend in EVERYWHERE:
        model = f"huggingface/{backend}/sandbox/everywhere"
        reply = client.responses.parse(**request(model=model, input="A city."), text_format=City)
        assert isinstance(reply.output_parsed, City), backend
    with client.responses.stream(**request(model=ANYWHERE, input="A city."), text_format=City) as events:
        for _event in events:
            pass
        assert isinstance(events.get_final_response().output_parsed, City)


@check
def the_stream_helper_builds_the_plain_answer():
    more = request(input=CALL_TWO, tools=[WEATHER, TIME], tool_choice="required")
    with client.responses.stream(**more) as events:
        for _event in events:
            pass
        final = events.get_final_response()
    same([i.parsed_arguments for i in final.output], [json.loads(i.arguments) for i in ask(**more).output])


@check
async def the_async_client_answers_and_streams():
    async with AsyncOpenAI(base_url=GATEWAY + "/openai/v1", api_key="x", max_retries=0, timeout=20) as caller:
        plain = await caller.responses.create(**request())
        async with caller.responses.stream(**request()) as events:
            same((await events.get_final_response()).output_text, plain.output_text)


@check
def pictures_and_files_are_passed_on():
    text = "data:text/plain;base64,SGVsbG8="
    content = [
        {"type": "input_text", "text": "What is this?"},
        {"type": "input_image", "image_url": PIXEL, "detail": "auto"},
        {"type": "input_file", "filename": "hello.txt", "file_data": text},
    ]
    assert ask(model=ANYWHERE, input=[{"role": "user", "content": content}]).output_text
    parts = json.loads(chats()[-1]["body"])["messages"][0]["content"]
    same([p["type"] for p in parts], ["text", "image_url", "text"])
    same(parts[2]["text"], "hello.txt:\n\nHello")


@check
def reasoning_is_shown_sealed_and_played_back():
    more = {"model": ANYWHERE, "reasoning": {"effort": "low"}}
    thought = next(item for item in alike(**more).output if item.type == "reasoning")
    same((thought.summary, len(thought.content)), ([], 1))
    more = {"model": ANYWHERE, "reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"]}
    first = ask(**more)
    item = first.output[0]
    same(item.summary[0].text, thought.content[0].text, "the summary is what was thought")
    assert item.encrypted_content
    kept = [i.model_dump(exclude_none=True) for i in first.output]
    kept[0]["summary"] = []  # what was thought is in the sealed part, too
    ask(**more | {"input": [{"role": "user", "content": HELLO}, *kept, {"role": "user", "content": "And?"}]})
    replayed = json.loads(chats()[-1]["body"])["messages"][1]
    same(replayed.get("reasoning_content") or replayed.get("reasoning"), thought.content[0].text)
    kept[0]["encrypted_content"] = "forged"
    error = raises(openai.BadRequestError, lambda: ask(input=[*kept, {"role": "user", "content": "And?"}]))
    same(error.code, "invalid_encrypted_content")


@check
def mistakes_name_the_member():
    for more, param in (
        ({"input": [{"type": "web_search_call", "id": "w", "status": "completed"}]}, "input[0]"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]}, "input[0].content[0].file_id"),
        ({"input": []}, "input"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"extra_body": {"messages": []}}, "messages"),
    ):
        same(raises(openai.BadRequestError, lambda: ask(**more)).param, param)
    raises(openai.NotFoundError, lambda: ask(model="huggingface/auto/nobody/has-this"))
    same(chats(), [], "what the sandbox saw")


@check
def a_backends_errors_come_out_as_the_sdks_classes():
    for status, expected in ((401, openai.AuthenticationError), (429, openai.RateLimitError), (500, openai.InternalServerError)):
        for more in ({}, {"stream": True}):
            fault(kind="status", status=status)
            error = raises(expected, lambda: client.responses.create(**request(**more)))
            same(error.status_code, status)


@check
def a_stream_that_breaks_fails_and_never_ends_in_silence():
    for kind in ("truncate", "cut", "reset", "stream_error"):
        fault(kind=kind, after=2)
        try:
            events = stream()
        except openai.APIStatusError:
            continue  # nothing had been said yet
        same([e.type for e in events[-2:]], ["error", "response.failed"], kind)
        same(events[-1].response.status, "failed")
        assert events[-1].response.error.message


if __name__ == "__main__":
    main()
