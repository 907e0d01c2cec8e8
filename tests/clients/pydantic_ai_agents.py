"""Pydantic AI's agents against the gateway, with its OpenAI, Responses, Anthropic and Google models. Only the base URL is changed."""
import asyncio
import base64

from pydantic import BaseModel
from pydantic_ai import Agent, BinaryContent, ModelHTTPError, NativeOutput, ToolOutput
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.azure import AzureProvider
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.litellm import LiteLLMProvider
from pydantic_ai.providers.openai import OpenAIProvider

from harness import GATEWAY, chats, check, fault, main, raises, same, start_afresh

NAME = "huggingface/groq/meta-llama/Llama-3.1-8B-Instruct"
ANYWHERE = "huggingface/together/sandbox/everywhere"
HELLO = "Say hello."
# The sandbox calls a tool when it is told to, and two when it is told to do so in parallel.
CALL, CALL_TWO = "Please call for the weather.", "Please call for weather and time in parallel."


def chat(name=NAME, base="/v1"):
    return OpenAIChatModel(name, provider=OpenAIProvider(base_url=GATEWAY + base, api_key="anything"))


def responses(name=NAME, base="/v1"):
    return OpenAIResponsesModel(name, provider=OpenAIProvider(base_url=GATEWAY + base, api_key="anything"))


def messages(name=NAME, base="/anthropic"):
    # Which models answer in a schema, Pydantic AI knows of Anthropic's own names only.
    profile = {"supports_json_schema_output": True}
    return AnthropicModel(name, provider=AnthropicProvider(base_url=GATEWAY + base, api_key="anything"), profile=profile)


def google(name=NAME, base="/genai"):
    return GoogleModel(name, provider=GoogleProvider(base_url=GATEWAY + base, api_key="anything"))


MODELS = [chat, responses, messages, google]


async def streamed(agent, prompt, **more):
    """The end of a streamed run, put together by Pydantic AI itself."""
    async with agent.run_stream(prompt, **more) as result:
        return await result.get_output(), result.all_messages(), result.usage


@check
async def a_streamed_run_ends_with_the_plain_answer():
    for make in MODELS:
        plain = await Agent(make(), instructions="Be brief.").run(HELLO)
        assert HELLO in plain.output, plain.output
        output, _, used = await streamed(Agent(make(), instructions="Be brief."), HELLO)
        same(output, plain.output, make.__name__)
        assert used.input_tokens > 0, make.__name__
        same(used.output_tokens, plain.usage.output_tokens, make.__name__)


@check
def it_runs_without_async_too():
    for make in MODELS:
        assert HELLO in Agent(make()).run_sync(HELLO).output


def with_tools(model, seen):
    agent = Agent(model)

    @agent.tool_plain
    def get_weather(city: str) -> str:
        """The weather in a city."""
        seen.append(("get_weather", city))
        return f"21 degrees in {city}"

    @agent.tool_plain
    def get_time(zone: str) -> str:
        """The time in a zone."""
        seen.append(("get_time", zone))
        return "noon"

    return agent


@check
async def an_agent_calls_its_tools_and_answers_with_their_results():
    for make in MODELS:
        for prompt, tools in ((CALL, ["get_weather"]), (CALL_TWO, ["get_time", "get_weather"])):
            seen, again = [], []
            plain = await with_tools(make(), seen).run(prompt)
            output, told, _ = await streamed(with_tools(make(), again), prompt)
            same(sorted(name for name, _ in seen), tools, make.__name__)
            same(sorted(again), sorted(seen), make.__name__)
            same(output, plain.output, make.__name__)
            assert "tool said" in output, output
            # The whole conversation goes back with the next question.
            next_run = await with_tools(make(), seen).run("Thank you.", message_history=told)
            assert "Thank you." in next_run.output, next_run.output


class City(BaseModel):
    """A city."""

    name: str
    people: int


@check
async def structured_output_comes_as_the_class_in_every_way():
    for make in MODELS:
        for way in (ToolOutput(City), NativeOutput(City)):
            agent = Agent(make(), output_type=way)
            plain = (await agent.run("A city.")).output
            assert isinstance(plain, City), (make.__name__, plain)
            same((await streamed(agent, "A city."))[0], plain, f"{make.__name__}, {type(way).__name__}")


@check
async def what_was_thought_is_told_and_goes_back():
    settings = {
        chat: {"openai_reasoning_effort": "low"},
        responses: {"openai_reasoning_effort": "low", "openai_reasoning_summary": "auto"},
        messages: {"anthropic_thinking": {"type": "enabled", "budget_tokens": 2048}, "max_tokens": 4000},
        google: {"google_thinking_config": {"thinking_budget": 1024, "include_thoughts": True}},
    }
    for make in MODELS:
        plain = await Agent(make(), model_settings=settings[make]).run(HELLO)
        _, told, _ = await streamed(Agent(make(), model_settings=settings[make]), HELLO)
        thoughts = [[p.content for p in m.parts if p.part_kind == "thinking"] for m in (plain.all_messages()[-1], told[-1])]
        assert thoughts[0] and thoughts[0][0], (make.__name__, plain.all_messages())
        same(thoughts[1], thoughts[0], make.__name__)
        await Agent(make(), model_settings=settings[make]).run("Are you sure?", message_history=told)
        if make is not google:  # Google's own SDK leaves thoughts without a signature out
            assert thoughts[0][0] in chats()[-1]["body"], (make.__name__, chats()[-1]["body"])


@check
async def pictures_are_passed_on():
    pixel = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII=")
    for make in MODELS:
        reply = await Agent(make(ANYWHERE)).run(["What is this?", BinaryContent(pixel, media_type="image/png")])
        assert "[image image/png " in reply.output, (make.__name__, reply.output)


@check
async def the_prefix_and_the_other_providers_lead_to_the_same_doors():
    plain = (await Agent(chat()).run(HELLO)).output
    models = [
        chat(base="/pydanticai/v1"), chat(base="/pydanticai"), responses(base="/pydanticai/v1"),
        messages(base="/pydanticai"), messages(base="/pydanticai/anthropic"),
        google(base="/pydanticai"), google(base="/pydanticai/genai"),
        OpenAIChatModel(NAME, provider=LiteLLMProvider(api_base=GATEWAY + "/litellm", api_key="anything")),
        OpenAIChatModel(NAME, provider=AzureProvider(azure_endpoint=GATEWAY, api_version="2025-04-01-preview", api_key="anything")),
    ]
    for model in models:
        same((await Agent(model).run(HELLO)).output, plain, model.base_url)


@check
async def twenty_agents_at_once_do_not_mix():
    for make in MODELS:
        agent = Agent(make())
        replies = await asyncio.gather(*(streamed(agent, f"This is agent {n}.") for n in range(20)))
        assert all(f"agent {n}." in output for n, (output, *_) in enumerate(replies)), make.__name__


@check
def errors_tell_their_status():
    for make in MODELS:
        for status in (400, 401, 500):
            # The SDKs beneath try again by themselves.
            start_afresh()
            fault(kind="status", status=status, times=9)
            error = raises(ModelHTTPError, lambda make=make: Agent(make()).run_sync(HELLO))
            same(error.status_code, status, make.__name__)
            # What was wrong with one call is not wrong with the next.
            start_afresh()
            assert "hello" in Agent(make()).run_sync(HELLO).output, make.__name__
        start_afresh()
        error = raises(ModelHTTPError, lambda make=make: Agent(make("huggingface/auto/nobody/has-this")).run_sync(HELLO))
        same(error.status_code, 404, make.__name__)


if __name__ == "__main__":
    main()
