"""OpenAI's Python SDK by the other ways in: Azure's form, the prefixes of other gateways, the older completions; and Anthropic's SDK."""
import openai
from anthropic import Anthropic
from openai import AsyncAzureOpenAI, AzureOpenAI, OpenAI

from harness import GATEWAY, chats, check, fault, main, raises, same

MODEL = "huggingface/groq/meta-llama/Llama-3.1-8B-Instruct"
VECTORS = "huggingface/hf-inference/BAAI/bge-small-en-v1.5"
HELLO = [{"role": "user", "content": "Say hello."}]
KEY = {"api_key": "anything", "max_retries": 0, "timeout": 20}
AZURE = {"api_version": "2025-04-01-preview"} | KEY


def text(client, **more):
    """What a chat says, plain and streamed alike."""
    plain = client.chat.completions.create(**{"model": MODEL, "messages": HELLO} | more).choices[0].message.content
    with client.chat.completions.stream(**{"model": MODEL, "messages": HELLO} | more) as stream:
        for _event in stream:
            pass
        same(stream.get_final_completion().choices[0].message.content, plain)
    return plain


PLAIN = "echo: Say hello."


@check
def azures_client_names_the_model_in_the_path_or_once_for_all():
    same(text(AzureOpenAI(azure_endpoint=GATEWAY, **AZURE)), PLAIN)
    same(text(AzureOpenAI(azure_endpoint=GATEWAY, azure_deployment=MODEL, **AZURE), model="anything"), PLAIN)


@check
async def azures_async_client_streams():
    async with AsyncAzureOpenAI(azure_endpoint=GATEWAY, **AZURE) as client:
        stream = await client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
        same("".join([c.choices[0].delta.content or "" async for c in stream if c.choices]), PLAIN)


@check
def azures_client_does_all_else_too():
    client = AzureOpenAI(azure_endpoint=GATEWAY, **AZURE)
    same(len(client.embeddings.create(model=VECTORS, input=["one", "two"]).data), 2)
    assert client.images.generate(model="huggingface/fal-ai/black-forest-labs/FLUX.1-dev", prompt="A cat.").data
    same(client.responses.create(model=MODEL, input="Say hello.", store=False).output_text, PLAIN)
    assert MODEL in [model.id for model in client.models.list()]
    same(client.completions.create(model=MODEL, prompt="Say hello.").choices[0].text, PLAIN)


@check
def azures_client_gets_its_errors():
    client = AzureOpenAI(azure_endpoint=GATEWAY, **AZURE)
    fault(kind="status", status=429)
    raises(openai.RateLimitError, lambda: text(client))
    raises(openai.NotFoundError, lambda: text(client, model="huggingface/auto/nobody/has-this"))


@check
def every_base_url_that_people_have_leads_to_the_same_answer():
    for base in ("/v1", "/v1/", "/openai/v1", "/openai", "/litellm", "/litellm/v1", "/langchain", "/langchain/openai/v1", "/pydanticai/v1"):
        client = OpenAI(base_url=GATEWAY + base, **KEY)
        same(text(client), PLAIN, base)
        same(client.responses.create(model=MODEL, input="Say hello.", store=False).output_text, PLAIN, base)
        same(len(client.embeddings.create(model=VECTORS, input="one").data), 1, base)
        assert MODEL in [model.id for model in client.models.list()], base
        same(client.models.retrieve(MODEL).id, MODEL, base)
    for base in ("/anthropic", "/litellm", "/litellm/anthropic", "/langchain", "/pydanticai"):
        client = Anthropic(base_url=GATEWAY + base, **KEY)
        with client.messages.stream(model=MODEL, max_tokens=50, messages=HELLO) as stream:
            same(stream.get_final_message().content[0].text, PLAIN, base)
        assert client.messages.count_tokens(model=MODEL, messages=HELLO).input_tokens > 0, base


@check
def older_completions_answer_prompts_one_by_one_and_streamed():
    client = OpenAI(base_url=GATEWAY + "/v1", **KEY)
    reply = client.completions.create(model=MODEL, prompt="Say hello.", max_tokens=20)
    same((reply.object, reply.choices[0].text, reply.choices[0].finish_reason), ("text_completion", PLAIN, "stop"))
    assert reply.usage.completion_tokens > 0
    stream = client.completions.create(model=MODEL, prompt="Say hello.", stream=True)
    same("".join(chunk.choices[0].text for chunk in stream if chunk.choices), PLAIN)
    cut = client.completions.create(model=MODEL, prompt="Say hello.", max_tokens=1).choices[0]
    same((cut.text, cut.finish_reason), ("echo:", "length"))
    same(len(chats()), 3)
    fault(kind="status", status=500)
    raises(openai.InternalServerError, lambda: client.completions.create(model=MODEL, prompt="x"))


if __name__ == "__main__":
    main()
