"""Hugging Face's own Python client with the gateway as its server, instead of a Hugging Face address."""
import asyncio

from huggingface_hub import AsyncInferenceClient, InferenceClient
from huggingface_hub.errors import HfHubHTTPError

from harness import GATEWAY, check, main, raises, same

MODEL = "huggingface/groq/meta-llama/Llama-3.1-8B-Instruct"
HELLO = [{"role": "user", "content": "Say hello."}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}

client = InferenceClient(base_url=GATEWAY + "/v1", api_key="anything", timeout=20)


@check
def a_chat_is_answered():
    reply = client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=64)
    same(reply.choices[0].message.role, "assistant")
    assert reply.choices[0].message.content and reply.usage.total_tokens > 0


@check
def a_stream_says_what_the_plain_answer_says():
    plain = client.chat_completion(HELLO, model=MODEL).choices[0].message.content
    pieces = client.chat_completion(HELLO, model=MODEL, stream=True)
    same("".join(c.choices[0].delta.content or "" for c in pieces if c.choices), plain)


@check
def a_tool_is_called():
    reply = client.chat_completion(HELLO, model=MODEL, tools=[WEATHER], tool_choice="required")
    same(reply.choices[0].message.tool_calls[0].function.name, "get_weather")


@check
async def the_async_client_streams():
    caller = AsyncInferenceClient(base_url=GATEWAY + "/v1", api_key="x", timeout=20)
    stream = await caller.chat_completion(HELLO, model=MODEL, stream=True)
    text = "".join([c.choices[0].delta.content or "" async for c in stream if c.choices])
    same(text, client.chat_completion(HELLO, model=MODEL).choices[0].message.content)


@check
def tasks_that_the_client_sends_to_the_address_itself_are_told_what_is_here():
    # With a base URL, only its chats go to a path below it, and only they name a model: OpenAI's client is for the rest.
    for task in (client.feature_extraction, client.text_to_speech, client.text_to_image):
        error = raises(HfHubHTTPError, lambda task=task: task("hello"))
        same(error.response.status_code, 404)
        assert "nothing at this path" in str(error) and error.response.headers["x-request-id"], error


if __name__ == "__main__":
    main()
