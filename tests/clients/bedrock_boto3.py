"""AWS's Python SDK against the gateway's Bedrock door.

Over HTTPS the endpoint and AWS_BEARER_TOKEN_BEDROCK are all that it takes. Here is plain HTTP, where the SDK itself refuses
to send that token: so the calls are unsigned, and the token is a header.
"""
import base64
import json

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import EventStreamError

from harness import GATEWAY, chats, check, fault, main, raises, same

MODEL = "huggingface/groq/meta-llama/Llama-3.1-8B-Instruct"
SEEING = "huggingface/together/sandbox/everywhere"
HELLO = [{"role": "user", "content": [{"text": "Say hello."}]}]
CALL = [{"role": "user", "content": [{"text": "Please call for the weather."}]}]
WEATHER = {
    "toolSpec": {
        "name": "get_weather",
        "description": "The weather at a place",
        "inputSchema": {"json": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}},
    }
}
# One black pixel.
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
)
ONCE = Config(retries={"total_max_attempts": 1}, read_timeout=20)
PLACE = {"region_name": "us-east-1", "endpoint_url": GATEWAY + "/bedrock"}

client = boto3.client("bedrock-runtime", **PLACE, config=ONCE.merge(Config(signature_version=UNSIGNED)))
client.meta.events.register(
    "before-sign.bedrock-runtime.*", lambda request, **_: request.headers.add_header("Authorization", "Bearer anything")
)


def ask(**more):
    return client.converse(**{"modelId": MODEL, "messages": HELLO} | more)


def gathered(**more):
    """The blocks of a stream as the plain answer has them, why it stopped, and what it used."""
    blocks, inputs, stop, used = [], {}, None, None
    for event in client.converse_stream(**{"modelId": MODEL, "messages": HELLO} | more)["stream"]:
        ((kind, said),) = event.items()
        if kind == "contentBlockStart":
            blocks.append(said["start"])
        elif kind == "contentBlockDelta":
            at, delta = said["contentBlockIndex"], said["delta"]
            if at == len(blocks):
                blocks.append({"text": ""})
            if "text" in delta:
                blocks[at]["text"] += delta["text"]
            elif "toolUse" in delta:
                inputs[at] = inputs.get(at, "") + delta["toolUse"]["input"]
        elif kind == "messageStop":
            stop = said["stopReason"]
        elif kind == "metadata":
            used = said["usage"]
    for at, text in inputs.items():
        blocks[at]["toolUse"]["input"] = json.loads(text)
    return blocks, stop, used


@check
def a_conversation_answers_as_bedrocks_would():
    reply = ask()
    same(reply["output"]["message"]["role"], "assistant")
    assert reply["output"]["message"]["content"][0]["text"]
    same(reply["stopReason"], "end_turn")
    used = reply["usage"]
    assert used["inputTokens"] > 0 and used["outputTokens"] > 0 and used["totalTokens"] >= used["outputTokens"]


@check
def a_stream_says_the_same_as_the_plain_answer():
    plain = ask()
    same(gathered(), (plain["output"]["message"]["content"], plain["stopReason"], plain["usage"]))


@check
def the_system_and_the_settings_reach_the_backend():
    ask(
        system=[{"text": "Be short."}],
        inferenceConfig={"maxTokens": 50, "temperature": 0.5, "topP": 0.9, "stopSequences": ["END"]},
        additionalModelRequestFields={"seed": 7},
    )
    sent = chats()[-1]["body"]
    sent = json.loads(sent) if isinstance(sent, str) else sent
    same(sent["messages"][0], {"role": "system", "content": "Be short."})
    same((sent["temperature"], sent["top_p"], sent["stop"], sent["seed"]), (0.5, 0.9, ["END"], 7))


@check
def a_tool_is_called_and_answered():
    reply = ask(messages=CALL, toolConfig={"tools": [WEATHER]})
    same(reply["stopReason"], "tool_use")
    said = reply["output"]["message"]
    use = next(block["toolUse"] for block in said["content"] if "toolUse" in block)
    same(use["name"], "get_weather")
    blocks, stop, _ = gathered(messages=CALL, toolConfig={"tools": [WEATHER]})
    same((stop, blocks[-1]["toolUse"]["name"], blocks[-1]["toolUse"]["input"]), ("tool_use", use["name"], use["input"]))
    result = {"toolUseId": use["toolUseId"], "content": [{"json": {"weather": "sunny"}}]}
    answered = [*CALL, said, {"role": "user", "content": [{"toolResult": result}]}]
    assert ask(messages=answered, toolConfig={"tools": [WEATHER]})["output"]["message"]["content"][0]["text"]


@check
def a_picture_goes_along():
    picture = {"image": {"format": "png", "source": {"bytes": PIXEL}}}
    reply = ask(modelId=SEEING, messages=[{"role": "user", "content": [picture, {"text": "What is this?"}]}])
    assert reply["output"]["message"]["content"][0]["text"]


@check
def mistakes_are_the_sdks_own_errors():
    error = raises(client.exceptions.ResourceNotFoundException, lambda: ask(modelId="huggingface/groq/nobody/has-this"))
    same(error.response["ResponseMetadata"]["HTTPStatusCode"], 404)
    guarded = {"guardrailIdentifier": "guard", "guardrailVersion": "1"}
    error = raises(client.exceptions.ValidationException, lambda: ask(guardrailConfig=guarded))
    assert "guardrailConfig" in error.response["Error"]["Message"]
    fault(kind="status", status=429)
    raises(client.exceptions.ThrottlingException, ask)


@check
def a_stream_that_breaks_is_an_error():
    fault(kind="cut", after=3)
    raises(EventStreamError, gathered)


@check
def a_signature_is_refused_by_name():
    session = boto3.Session(aws_access_key_id="AKIAEXAMPLE", aws_secret_access_key="x")
    signed = session.client("bedrock-runtime", **PLACE, config=ONCE)
    error = raises(signed.exceptions.AccessDeniedException, lambda: signed.converse(modelId=MODEL, messages=HELLO))
    assert "SigV4" in error.response["Error"]["Message"], error.response


if __name__ == "__main__":
    main()
