"""smolagents against the gateway: its models, and its agents that do a task with a tool. Only the base URL is changed."""
import os

os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["HF_ENDPOINT"] = os.environ["SANDBOX_URL"]

from huggingface_hub import constants
from smolagents import (
    AzureOpenAIModel,
    ChatMessage,
    CodeAgent,
    InferenceClientModel,
    LogLevel,
    OpenAIServerModel,
    ToolCallingAgent,
    agglomerate_stream_deltas,
    tool,
)

from harness import GATEWAY, chats, check, fault, main, same, settings, start_afresh

NAME = "huggingface/groq/meta-llama/Llama-3.1-8B-Instruct"
HELLO = [ChatMessage(role="user", content=[{"type": "text", "text": "Say hello."}])]
# The sandbox calls a tool when it is told to.
CALL = [ChatMessage(role="user", content=[{"type": "text", "text": "Please call for the weather."}])]


# The gateway stands where Hugging Face's router is. (A base URL and a model's name together are refused by this class.)
constants.INFERENCE_PROXY_TEMPLATE = GATEWAY + "/{provider}"


def inference_client():
    return InferenceClientModel(model_id="meta-llama/Llama-3.1-8B-Instruct", provider="groq", api_key="hf_sandbox", timeout=20)


def openai_server():
    return OpenAIServerModel(model_id=NAME, api_base=GATEWAY + "/v1", api_key="anything")


def azure():
    return AzureOpenAIModel(model_id=NAME, azure_endpoint=GATEWAY, api_key="anything", api_version="2025-04-01-preview")


MODELS = [inference_client, openai_server, azure]


@tool
def get_weather(city: str) -> str:
    """The weather in a city.

    Args:
        city: The city's name.
    """
    return f"21 degrees in {city}"


@check
def a_stream_agglomerates_into_the_plain_answer():
    for make in MODELS:
        plain = make()(HELLO)
        whole = agglomerate_stream_deltas(list(make().generate_stream(HELLO)))
        assert "Say hello." in plain.content, plain
        same(whole.content, plain.content, make.__name__)
        same(whole.token_usage, plain.token_usage, make.__name__)


@check
def a_call_agglomerates_into_the_plain_one():
    for make in MODELS:
        plain = make()(CALL, tools_to_call_from=[get_weather])
        whole = agglomerate_stream_deltas(list(make().generate_stream(CALL, tools_to_call_from=[get_weather])))
        told = [[(c.function.name, c.function.arguments) for c in message.tool_calls] for message in (plain, whole)]
        same(told[0][0][0], "get_weather")
        same(told[1], told[0], make.__name__)


@check
def an_agent_that_calls_tools_does_its_task():
    seen = []

    @tool
    def look_up(city: str) -> str:
        """The weather in a city.

        Args:
            city: The city's name.
        """
        seen.append(city)
        # smolagents tells the model in plain text what was called, so the sandbox is told by hand what comes next.
        settings(tool_calls=[{"name": "final_answer", "arguments": {"answer": f"21 degrees in {city}"}}])
        return "21 degrees"

    for make in MODELS:
        for stream in (False, True):
            settings(tool_calls=[{"name": "look_up", "arguments": {"city": "Paris"}}])
            agent = ToolCallingAgent(tools=[look_up], model=make(), stream_outputs=stream, verbosity_level=LogLevel.OFF)
            same(agent.run("How warm is it in Paris?", max_steps=4), "21 degrees in Paris", make.__name__)
    same(seen, ["Paris"] * 2 * len(MODELS))
    same(len(chats()), 4 * len(MODELS))
    # What the tool said went back to the model.
    assert "21 degrees" in chats()[-1]["body"]


@check
def an_agent_that_writes_code_does_its_task():
    settings(answer="Thought: easy.\n<code>\nfinal_answer(get_weather(city='Paris'))\n</code>")
    for make in MODELS:
        for stream in (False, True):
            agent = CodeAgent(tools=[get_weather], model=make(), stream_outputs=stream, verbosity_level=LogLevel.OFF)
            same(agent.run("How warm is it in Paris?", max_steps=2), "21 degrees in Paris", make.__name__)


@check
def errors_are_told():
    for make in MODELS:
        for status in (400, 401, 500):
            start_afresh()
            fault(kind="status", status=status, times=9)
            try:
                make()(HELLO)
            except Exception as error:  # of the client beneath, whose class differs
                same(error.response.status_code, status, make.__name__)
            else:
                raise AssertionError(f"{make.__name__}: {status} is an answer")
            # What was wrong with one call is not wrong with the next.
            start_afresh()
            assert make()(HELLO).content, make.__name__


if __name__ == "__main__":
    main()
