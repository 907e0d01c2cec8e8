"""Checks the sandbox with the official Python client: every backend and task, routed and with its own key, and the Hub's calls.

Usage: huggingface_hub_check.py http://127.0.0.1:PORT (or SANDBOX_URL). Ends with the counts; exit 1 if a check failed.
With ROUTER_URL, a gateway's address, all that the client would send to Hugging Face's router goes through the gateway instead.
"""
import json
import traceback

import huggingface_hub_media as media

from huggingface_hub_calls import CALLS, PICTURE, ROUTER, SANDBOX, VERSION, call, chat_backends, client, last_chat, sandbox

from huggingface_hub import HfApi
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

# Through a gateway, only what is routed is of interest.
WAYS = (False, True) if ROUTER == SANDBOX else (False,)
PICTURE_BYTES = len(PICTURE.split(",")[1]) * 3 // 4 - PICTURE.count("=")


def text_is(answer, expected):
    message = answer.choices[0].message
    assert message.role == "assistant" and message.content == expected, message
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens, answer.usage


def plain(answer):
    text_is(answer, "echo: hello there")
    assert answer.choices[0].finish_reason in ("stop", "eos"), answer.choices[0]
    assert answer.model, answer


def stream(chunks):
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "echo: hello there", text
    reasons = [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason]
    assert reasons in (["stop"], ["eos"]), reasons
    usages = [chunk.usage for chunk in chunks if chunk.usage]
    assert usages and usages[-1].completion_tokens == 3, usages


def tools(answer):
    choice = answer.choices[0]
    assert choice.finish_reason == "tool_calls", choice
    (called,) = choice.message.tool_calls
    assert called.function.name == "get_weather" and called.id, called
    assert json.loads(called.function.arguments) == {"city": "call the weather", "days": 7}, called


def json_schema(answer):
    assert json.loads(answer.choices[0].message.content) == {"name": "who", "age": 7}, answer


def vision(answer):
    text_is(answer, f"echo: what is this [image image/png {PICTURE_BYTES} bytes]")


EXPECT = {"plain": plain, "stream": stream, "tools": tools, "json_schema": json_schema, "vision": vision}


def backend_checks():
    for backend in chat_backends():
        for direct in WAYS:
            if (backend == "openai" and not direct) or (backend == "hf-inference" and direct):
                continue
            for name in CALLS:
                def run(backend=backend, name=name, direct=direct):
                    EXPECT[name](call(backend, name, direct=direct))
                    entry = last_chat()
                    assert entry["backend"] == backend and entry["area"] == ("direct" if direct else "routed"), entry
                    assert entry["model_first"], entry["members"]

                yield f"{backend} {'direct' if direct else 'routed'} {name}", run


def media_checks():
    for name in media.TASKS:
        for backend in media.backends(name):
            if backend == "wavespeed" and ROUTER != SANDBOX:
                continue  # the client looks for its jobs at the bare host, unless that is Hugging Face's own router
            for direct in WAYS:
                if backend == "hf-inference" and direct:
                    continue

                def run(backend=backend, name=name, direct=direct):
                    # Z.ai is polled every five seconds.
                    sandbox("POST", "/_sandbox/settings", {"queue_polls": 0 if backend == "zai-org" else 1})
                    media.check(backend, name, media.call(backend, name, direct=direct))
                    first, *then = media.made(sandbox("GET", "/_sandbox/journal"))
                    assert first["backend"] == backend and first["area"] == ("direct" if direct else "routed"), first
                    assert all("leaked" not in entry and entry["status"] in (200, 202) for entry in then), then

                yield f"{backend} {'direct' if direct else 'routed'} {name}", run


def jobs_that_fail():
    fails = {"kind": "job", "ends": "failed", "polls": 0, "message": "too ugly"}
    sandbox("POST", "/_sandbox/faults", {"match": {"backend": "wavespeed"}, "times": 1, "fault": fails})
    assert "too ugly" in raises(ValueError, lambda: media.call("wavespeed", "text_to_image"))
    sandbox("POST", "/_sandbox/settings", {"slow_predictions": True})
    raises(TimeoutError, lambda: media.call("replicate", "text_to_image"))
    raises(HfHubHTTPError, lambda: media.client("together", False, "sandbox/speaks").text_to_speech("no voice"), 400)


def routers_choice():
    answer = client("auto").chat_completion(**CALLS["plain"])
    text_is(answer, "echo: hello there")
    assert answer.model == "everywhere-1b", "the fastest backend is cerebras"
    assert client("auto", model="sandbox/everywhere:cheapest").chat_completion(**CALLS["plain"]).model == "everywhere-instant"
    assert client("auto", model="sandbox/everywhere:together").chat_completion(**CALLS["plain"]).model == "sandbox/Everywhere-Turbo"


def custom_server(name):
    from huggingface_hub import InferenceClient
    from huggingface_hub_calls import TOKEN

    key = TOKEN if name == "endpoint" else f"key-{name}"
    for base in (f"{SANDBOX}/custom/{name}", f"{SANDBOX}/custom/{name}/v1/"):
        model = {"model": "sandbox/vllm-model"} if name == "vllm" else {}
        answer = InferenceClient(base_url=base, api_key=key, timeout=20).chat_completion(**CALLS["plain"], **model)
        text_is(answer, "echo: hello there")


def raises(kinds, action, status=None):
    try:
        action()
    except kinds as error:
        if status is not None:
            assert error.response.status_code == status, error
        return str(error)
    raise AssertionError(f"nothing raised, expected {kinds}")


def hub_facts():
    api = HfApi(token="hf_sandbox")
    info = api.model_info("meta-llama/Meta-Llama-3.1-8B-Instruct", expand=["inferenceProviderMapping"])
    assert info.id == "meta-llama/Llama-3.1-8B-Instruct", "a renamed model is followed"
    mapping = {entry.provider: entry.provider_id for entry in info.inference_provider_mapping}
    assert mapping["groq"] == "llama-3.1-8b-instant", mapping
    assert api.whoami()["name"] == "sandbox"
    raises(HfHubHTTPError, lambda: HfApi(token="hf_invalid").whoami(), 401)
    raises(RepositoryNotFoundError, lambda: api.model_info("nobody/has-this"))
    raises(RepositoryNotFoundError, lambda: api.model_info("sandbox/private"))
    raises(GatedRepoError, lambda: api.model_info("sandbox/gated"))
    assert HfApi(token="hf_sandbox_member").model_info("sandbox/gated").gated == "manual"


def hub_lists():
    api = HfApi(token="hf_sandbox")
    whole = [model.id for model in api.list_models(inference_provider="groq")]
    assert "meta-llama/Llama-3.1-8B-Instruct" in whole and "zai-org/GLM-4.5" not in whole, whole
    listed = api.list_models(inference_provider=["groq", "together"], expand=["inferenceProviderMapping"], limit=5)
    assert all(model.inference_provider_mapping for model in listed)


def refusals():
    message = raises(ValueError, lambda: client("groq", model="google/gemma-2b").chat_completion(**CALLS["plain"]))
    assert "not supported by provider groq" in message, message
    message = raises(ValueError, lambda: client("fireworks-ai", model="black-forest-labs/FLUX.1-dev").chat_completion(**CALLS["plain"]))
    assert "not supported" in message, message
    raises(HfHubHTTPError, lambda: client("hf-inference", model="google/gemma-2b").chat_completion(**CALLS["plain"]), 422)
    raises(ValueError, lambda: client("groq", model="sandbox/no-mapping").chat_completion(**CALLS["plain"]))
    # The client passes an OpenAI member on that this backend refuses.
    asked = CALLS["plain"] | {"extra_body": {"store": True}}
    raises(HfHubHTTPError, lambda: client("cerebras").chat_completion(**asked), 400)
    assert last_chat()["members"][-1] == "store", last_chat()["members"]


def faults():
    sandbox("POST", "/_sandbox/faults", {"match": {"backend": "groq"}, "times": 1, "fault": {"kind": "status", "status": 503}})
    raises(HfHubHTTPError, lambda: client("groq").chat_completion(**CALLS["plain"]), 503)
    plain(call("groq", "plain"))
    for backend in ("groq", "hf-inference"):
        for how in ("crlf", "bytes", "comments", "one_write"):
            sandbox("POST", "/_sandbox/faults", {"times": 1, "match": {"operation": "chat"}, "fault": {"kind": "framing", "as": how}})
            stream(call(backend, "stream"))
    error = {"kind": "stream_error", "after": 2, "shape": "text"}
    sandbox("POST", "/_sandbox/faults", {"times": 1, "match": {"operation": "chat"}, "fault": error})
    raises(Exception, lambda: call("groq", "stream"))


def main():
    checks = dict(backend_checks()) | dict(media_checks())
    checks |= {f.__name__: f for f in (refusals, faults)}
    if ROUTER == SANDBOX:
        checks |= {f"custom {name}": (lambda name=name: custom_server(name)) for name in ("tgi", "vllm", "llamacpp", "endpoint")}
        checks |= {f.__name__: f for f in (routers_choice, hub_facts, hub_lists, jobs_that_fail)}
    failed = 0
    for name, run in checks.items():
        sandbox("DELETE", "/_sandbox/faults")
        sandbox("DELETE", "/_sandbox/settings")
        sandbox("DELETE", "/_sandbox/journal")
        sandbox("DELETE", "/_sandbox/jobs")
        try:
            run()
        except Exception:
            failed += 1
            print(f"FAILED {name}")
            traceback.print_exc()
    sandbox("DELETE", "/_sandbox/faults")
    sandbox("DELETE", "/_sandbox/settings")
    print(f"huggingface_hub {VERSION}: {len(checks)} checks")
    print(f"{len(checks) - failed} passed, {failed} failed")
    raise SystemExit(1 if failed else 0)


main()
