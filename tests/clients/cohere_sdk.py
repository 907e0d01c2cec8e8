"""Cohere's Python SDK (its version 2 client) against the gateway: only the base URL is changed."""
import json

import cohere

from harness import GATEWAY, chats, check, fault, main, raises, same

MODEL = "huggingface/groq/meta-llama/Llama-3.1-8B-Instruct"
EMBEDS = "huggingface/scaleway/sandbox/embeds"
HELLO = [{"role": "user", "content": "Say hello."}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather at a place",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}

client = cohere.ClientV2(api_key="anything", base_url=GATEWAY + "/cohere")


def ask(**more):
    return client.chat(**{"model": MODEL, "messages": HELLO} | more)


def gathered(**more):
    """Text, thoughts, calls and the end of a stream."""
    text, thoughts, calls, end = "", "", [], None
    for event in client.chat_stream(**{"model": MODEL, "messages": HELLO} | more):
        if event.type == "content-delta":
            text += event.delta.message.content.text or ""
            thoughts += event.delta.message.content.thinking or ""
        elif event.type == "tool-call-start":
            calls.append([event.delta.message.tool_calls.function.name, ""])
        elif event.type == "tool-call-delta":
            calls[-1][1] += event.delta.message.tool_calls.function.arguments
        elif event.type == "message-end":
            end = event.delta
    return text, thoughts, calls, end


@check
def a_chat_answers_as_coheres_would():
    reply = ask()
    assert reply.id and reply.message.content[0].text
    same((reply.finish_reason, reply.message.role), ("COMPLETE", "assistant"))
    assert reply.usage.tokens.input_tokens > 0 and reply.usage.tokens.output_tokens > 0


@check
def a_stream_says_the_same_as_the_plain_answer():
    text, _, _, end = gathered()
    plain = ask()
    same(text, plain.message.content[0].text)
    same(end.finish_reason, "COMPLETE")
    same(end.usage.tokens.input_tokens, plain.usage.tokens.input_tokens)


@check
def the_settings_reach_the_backend():
    ask(temperature=0.5, p=0.9, stop_sequences=["END"], max_tokens=9, seed=1, safety_mode="OFF")
    sent = chats()[-1]["body"]
    sent = json.loads(sent) if isinstance(sent, str) else sent
    same((sent["temperature"], sent["top_p"], sent["stop"], sent["seed"]), (0.5, 0.9, ["END"], 1))


@check
def a_tool_is_called_and_answered():
    question = {"role": "user", "content": "Please call for the weather."}
    reply = ask(messages=[question], tools=[WEATHER])
    same(reply.finish_reason, "TOOL_CALL")
    call = reply.message.tool_calls[0]
    same(call.function.name, "get_weather")
    _, _, calls, end = gathered(messages=[question], tools=[WEATHER])
    same(([tuple(c) for c in calls], end.finish_reason), ([(call.function.name, call.function.arguments)], "TOOL_CALL"))
    answer = {
        "role": "tool",
        "tool_call_id": call.id,
        "content": [{"type": "document", "document": {"data": {"weather": "sunny"}}}],
    }
    said = {"role": "assistant", "tool_calls": reply.message.tool_calls, "tool_plan": "I ask."}
    assert ask(messages=[question, said, answer], tools=[WEATHER]).message.content[0].text


@check
def json_follows_a_schema():
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    reply = ask(model="huggingface/together/sandbox/everywhere", response_format={"type": "json_object", "json_schema": schema})
    assert "name" in json.loads(reply.message.content[0].text)


@check
def texts_become_vectors():
    reply = client.embed(model=EMBEDS, texts=["one", "two"], input_type="search_document", embedding_types=["float"])
    same([len(vector) for vector in reply.embeddings.float_], [384, 384])
    same(reply.texts, ["one", "two"])


@check
def mistakes_are_the_sdks_own_errors():
    error = raises(cohere.NotFoundError, lambda: ask(model="huggingface/groq/nobody/has-this"))
    assert error.body["message"] and error.body["id"]
    error = raises(cohere.BadRequestError, lambda: ask(documents=["a text"]))
    assert "documents" in error.body["message"]
    fault(kind="status", status=429, times=5)
    raises(cohere.TooManyRequestsError, lambda: ask(request_options={"max_retries": 0}))


@check
def a_stream_that_breaks_says_so_at_its_end():
    fault(kind="cut", after=3)
    _, _, _, end = gathered()
    same(end.finish_reason, "ERROR")
    assert end.error


if __name__ == "__main__":
    main()
