"""Google's Python SDK against the gateway: only the base URL is changed. Text, streams, tools, JSON, pictures, embeddings."""
import asyncio
import base64
import json

import pydantic
from google import genai
from google.genai import errors, types

from harness import GATEWAY, chats, check, fault, main, raises, same

MODEL = "huggingface/groq/meta-llama/Llama-3.1-8B-Instruct"
SEEING = "huggingface/together/sandbox/everywhere"
EMBEDS = "huggingface/scaleway/sandbox/embeds"
HELLO = "Say hello."
# One black pixel.
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
)
WEATHER = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(
            name="get_weather",
            description="The weather at a place",
            parameters=types.Schema(
                type=types.Type.OBJECT,
                properties={"city": types.Schema(type=types.Type.STRING), "days": types.Schema(type=types.Type.INTEGER)},
                required=["city"],
            ),
        ),
        types.FunctionDeclaration(
            name="get_time",
            parameters_json_schema={"type": "object", "properties": {"zone": {"type": "string"}}, "required": ["zone"]},
        ),
    ]
)
BY_HAND = types.AutomaticFunctionCallingConfig(disable=True)

client = genai.Client(api_key="anything", http_options=types.HttpOptions(base_url=GATEWAY + "/genai"))


def ask(contents=HELLO, model=MODEL, **config):
    return client.models.generate_content(model=model, contents=contents, config=types.GenerateContentConfig(**config))


def streamed(contents=HELLO, model=MODEL, **config):
    stream = client.models.generate_content_stream(
        model=model, contents=contents, config=types.GenerateContentConfig(**config)
    )
    return list(stream)


@check
def a_text_answers_as_googles_would():
    reply = ask()
    assert reply.text and reply.response_id and reply.model_version
    same(reply.candidates[0].finish_reason, types.FinishReason.STOP)
    same(reply.candidates[0].content.role, "model")
    used = reply.usage_metadata
    assert used.prompt_token_count > 0 and used.candidates_token_count > 0
    assert used.total_token_count >= used.prompt_token_count + used.candidates_token_count


@check
def a_stream_says_the_same_as_the_plain_answer():
    chunks = streamed()
    same("".join(chunk.text or "" for chunk in chunks), ask().text)
    same(chunks[-1].candidates[0].finish_reason, types.FinishReason.STOP)
    assert chunks[-1].usage_metadata.total_token_count > 0


@check
async def the_async_client_asks_and_streams():
    reply = await client.aio.models.generate_content(model=MODEL, contents=HELLO)
    pieces = [chunk.text or "" async for chunk in await client.aio.models.generate_content_stream(model=MODEL, contents=HELLO)]
    same("".join(pieces), reply.text)


@check
def the_system_and_the_settings_reach_the_backend():
    ask(
        system_instruction="Be short.", temperature=0.5, top_p=0.9, max_output_tokens=50, stop_sequences=["END"], seed=7,
        safety_settings=[types.SafetySetting(category="HARM_CATEGORY_HATE_SPEECH", threshold="BLOCK_NONE")],
    )
    sent = chats()[-1]["body"]
    sent = json.loads(sent) if isinstance(sent, str) else sent
    same(sent["messages"][0], {"role": "system", "content": "Be short."})
    same((sent["temperature"], sent["top_p"], sent["stop"], sent["seed"]), (0.5, 0.9, ["END"], 7))


@check
def a_tool_is_called_and_answered():
    question = types.Content(role="user", parts=[types.Part(text="Please call for the weather.")])
    reply = ask([question], tools=[WEATHER], automatic_function_calling=BY_HAND)
    call = reply.function_calls[0]
    same(call.name, "get_weather")
    assert "city" in call.args and call.id
    chunks = streamed([question], tools=[WEATHER], automatic_function_calling=BY_HAND)
    calls = [call for chunk in chunks for call in chunk.function_calls or []]
    same([(c.name, c.args) for c in calls], [(c.name, c.args) for c in reply.function_calls])
    answer = types.Part.from_function_response(name=call.name, response={"result": "sunny"})
    final = ask([question, reply.candidates[0].content, types.Content(role="user", parts=[answer])], tools=[WEATHER])
    assert final.text


@check
def two_tools_are_called_in_parallel():
    reply = ask("Please call for weather and time in parallel.", tools=[WEATHER], automatic_function_calling=BY_HAND)
    same(sorted(call.name for call in reply.function_calls), ["get_time", "get_weather"])


@check
def json_follows_a_schema():
    class Person(pydantic.BaseModel):
        name: str
        age: int

    reply = ask("Somebody.", model=SEEING, response_mime_type="application/json", response_schema=Person)
    assert isinstance(reply.parsed, Person), reply.text


@check
def a_picture_goes_along():
    reply = ask([types.Part.from_bytes(data=PIXEL, mime_type="image/png"), "What is this?"], model=SEEING)
    assert reply.text
    same(chats()[-1]["backend"], "together")


@check
def tokens_are_counted():
    same(client.models.count_tokens(model=MODEL, contents="one two three four").total_tokens > 3, True)


@check
def texts_become_vectors():
    reply = client.models.embed_content(model=EMBEDS, contents=["one", "two"])
    same(len(reply.embeddings), 2)
    assert len(reply.embeddings[0].values) == 384 and reply.embeddings[0].values != reply.embeddings[1].values


@check
def models_are_listed():
    names = [model.name for model in client.models.list(config={"page_size": 5, "query_base": True})]
    assert all(any(name.startswith(f"models/{owner}/") for name in names) for owner in ("huggingface", "openai", "anthropic")), names[:20]


@check
def mistakes_are_the_sdks_own_errors():
    error = raises(errors.ClientError, lambda: ask(model="huggingface/groq/nobody/has-this"))
    same((error.code, error.status), (404, "NOT_FOUND"))
    error = raises(errors.ClientError, lambda: ask(cached_content="cachedContents/1"))
    same((error.code, error.status), (400, "INVALID_ARGUMENT"))
    assert "cachedContent" in error.message
    fault(kind="status", status=429)
    error = raises(errors.ClientError, ask)
    same((error.code, error.status), (429, "RESOURCE_EXHAUSTED"))


@check
def a_stream_that_breaks_is_an_error():
    fault(kind="cut", after=3)
    raises(errors.ServerError, streamed)


@check
async def thirty_callers_at_once_do_not_mix():
    async def one(n):
        reply = await client.aio.models.generate_content(model=MODEL, contents=f"This is caller number {n}.")
        assert f"caller number {n}." in reply.text, reply.text

    await asyncio.gather(*(one(n) for n in range(30)))


@check
def the_prefixes_of_other_gateways_lead_here_too():
    plain = ask().text
    for base in ("/langchain", "/langchain/genai", "/litellm", "/litellm/genai", "/pydanticai/genai"):
        other = genai.Client(api_key="anything", http_options=types.HttpOptions(base_url=GATEWAY + base))
        same(other.models.generate_content(model=MODEL, contents=HELLO).text, plain, base)


if __name__ == "__main__":
    main()
