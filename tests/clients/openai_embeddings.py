"""OpenAI's Python SDK against the gateway: embeddings. The SDK asks for base64 and decodes it unless it is told otherwise."""
import asyncio
import math

import openai
from openai import AsyncOpenAI, OpenAI

from harness import GATEWAY, asked, check, fault, main, raises, same, settings

BACKENDS = ["hf-inference", "scaleway", "together", "deepinfra"]
MODEL = "huggingface/scaleway/sandbox/embeds"
ALL_64 = (1 << 64) - 1

client = OpenAI(base_url=GATEWAY + "/v1", api_key="anything", max_retries=0, timeout=20)


def embed(what, model=MODEL, **more):
    return client.embeddings.create(model=model, input=what, **more)


def mixed(z: int) -> int:
    """SplitMix64."""
    z = (z + 0x9E3779B97F4A7C15) & ALL_64
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & ALL_64
    z = (z ^ z >> 27) * 0x94D049BB133111EB & ALL_64
    return z ^ z >> 31


def expected(text: str, length=384) -> list:
    """The vector that the sandbox has for a text, worked out here; see docs/sandbox.md."""
    hashed = 0xCBF29CE484222325
    for byte in text.encode():
        hashed = (hashed ^ byte) * 0x100000001B3 & ALL_64
    numbers = [(mixed(hashed + i & ALL_64) >> 11) / 2**52 - 1 for i in range(length)]
    long = math.sqrt(sum(n * n for n in numbers))
    return [n / long for n in numbers]


def close(got, wanted, what="vectors") -> None:
    same(len(got), len(wanted), f"{what}: lengths")
    worst = max(abs(a - b) for a, b in zip(got, wanted, strict=True))
    assert worst < 1e-6, f"{what} differ by {worst}"


@check
def a_text_becomes_a_vector_at_every_backend():
    for backend in BACKENDS:
        reply = embed("a text", f"huggingface/{backend}/sandbox/embeds")
        same((reply.object, len(reply.data), reply.data[0].object, reply.data[0].index), ("list", 1, "embedding", 0), backend)
        close(reply.data[0].embedding, expected("a text"), backend)
        assert reply.usage.prompt_tokens > 0 and reply.usage.total_tokens >= reply.usage.prompt_tokens, (backend, reply.usage)


@check
def floats_and_base64_are_the_same_numbers():
    for backend in BACKENDS:
        model = f"huggingface/{backend}/sandbox/embeds"
        coded = embed(["one", "two"], model, encoding_format="base64").data
        plain = embed(["one", "two"], model, encoding_format="float").data
        assert all(isinstance(item.embedding, str) for item in coded), "asked for by name, base64 stays base64"
        assert all(isinstance(item.embedding, list) for item in plain)
        default = embed(["one", "two"], model).data
        for left, right in zip(default, plain, strict=True):
            close(left.embedding, right.embedding, backend)


@check
def a_batch_keeps_its_order_also_above_the_backends_own_limit():
    texts = [f"text number {n}" for n in range(100)]
    for backend in BACKENDS:
        reply = embed(texts, f"huggingface/{backend}/sandbox/embeds")
        same([item.index for item in reply.data], list(range(100)), backend)
        for n in (0, 31, 32, 63, 99):
            close(reply.data[n].embedding, expected(texts[n]), f"{backend}, {n}")


@check
def answers_in_another_order_are_put_right():
    settings(reversed_embeddings=True)
    reply = embed(["first", "second", "third"])
    for item, text in zip(reply.data, ["first", "second", "third"], strict=True):
        close(item.embedding, expected(text), text)


@check
def dimensions_shorten_vectors_where_the_backend_can():
    for backend in ("scaleway", "deepinfra"):
        reply = embed("short", f"huggingface/{backend}/sandbox/embeds", dimensions=64)
        same(len(reply.data[0].embedding), 64, backend)
    for backend in ("hf-inference", "together"):
        model = f"huggingface/{backend}/sandbox/embeds"
        same(raises(openai.BadRequestError, lambda model=model: embed("short", model, dimensions=64)).param, "dimensions", backend)
        lenient = client.embeddings.with_raw_response.create(
            model=model, input="short", dimensions=64, extra_headers={"x-ironbow-lenient": "true"}
        )
        same((len(lenient.parse().data[0].embedding), lenient.headers["x-ironbow-dropped"]), (384, "dimensions"), backend)


@check
def every_depth_of_hf_inference_becomes_one_vector_for_each_input():
    for model in ("BAAI/bge-small-en-v1.5", "facebook/bart-base", "sandbox/embeds", "sentence-transformers/all-MiniLM-L6-v2"):
        for given in ("one", ["one"], ["one", "two words"]):
            reply = embed(given, f"huggingface/hf-inference/{model}")
            same(len(reply.data), 1 if isinstance(given, str) else len(given), f"{model}: {given}")
            assert all(len(item.embedding) == len(reply.data[0].embedding) >= 64 for item in reply.data), model


@check
def tokens_are_refused_by_name():
    for backend in BACKENDS:
        for given in ([1, 2, 3], [[1, 2], [3]]):
            model = f"huggingface/{backend}/sandbox/embeds"
            error = raises(openai.BadRequestError, lambda given=given, model=model: embed(given, model))
            same(error.param, "input", backend)
    same(asked("embeddings"), [], "what the sandbox saw")


@check
def what_only_hugging_face_knows_passes_through_extra_body():
    reply = embed("q", "huggingface/hf-inference/sandbox/embeds", extra_body={"prompt_name": "query", "normalize": True})
    close(reply.data[0].embedding, expected("query: q"))


@check
def one_model_named_by_route_or_not_is_the_same():
    for name in ("sandbox/embeds:scaleway", "huggingface/sandbox/embeds:scaleway"):
        close(embed("x", name).data[0].embedding, expected("x"), name)


@check
def mistakes_name_the_member():
    for what, param in (([], "input"), (7, "input")):
        error = raises(openai.BadRequestError, lambda what=what: embed(what))
        same(error.param, param)
    error = raises(openai.BadRequestError, lambda: embed("x", encoding_format="hexadecimal"))
    same(error.param, "encoding_format")
    error = raises(openai.BadRequestError, lambda: embed("x", "huggingface/groq/meta-llama/Llama-3.1-8B-Instruct"))
    same(error.code, "unsupported_operation")
    assert "scaleway" in error.message, "backends that can are named"
    raises(openai.NotFoundError, lambda: embed("x", "huggingface/scaleway/nobody/has-this"))


@check
def a_body_above_hugging_faces_limit_is_refused_with_both_sizes():
    error = raises(openai.APIStatusError, lambda: embed("x" * 2_200_000))
    same(error.status_code, 413)
    assert "2097152" in error.message.replace(",", "").replace("_", ""), error.message
    same(asked("embeddings"), [], "what the sandbox saw")


@check
def a_backends_errors_come_out_as_the_sdks_classes():
    for status, expected_class in ((401, openai.AuthenticationError), (429, openai.RateLimitError), (503, openai.InternalServerError)):
        fault(operation="embeddings", kind="status", status=status)
        error = raises(expected_class, lambda: embed("x"))
        assert error.type and error.message and error.request_id, status


@check
def an_answer_with_a_vector_too_few_is_no_answer():
    body = '{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5]}],"model":"m","usage":{"prompt_tokens":1,"total_tokens":1}}'
    fault(operation="embeddings", kind="raw", text=f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}")
    raises(openai.InternalServerError, lambda: embed(["a", "b"]))


@check
async def the_async_client_embeds_a_hundred_at_once():
    async with AsyncOpenAI(base_url=GATEWAY + "/openai/v1", api_key="x", max_retries=0, timeout=40) as caller:
        replies = await asyncio.gather(*(caller.embeddings.create(model=MODEL, input=f"caller {n}") for n in range(100)))
        for n, reply in enumerate(replies):
            close(reply.data[0].embedding, expected(f"caller {n}"), f"caller {n}")


if __name__ == "__main__":
    main()
