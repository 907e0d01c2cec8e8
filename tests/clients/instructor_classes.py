"""Instructor against the gateway: classes out of OpenAI's chat, its Responses and Anthropic's messages. Only the base URL is changed."""
from typing import Iterable

import anthropic
import instructor
import openai
import pydantic
from instructor.core.exceptions import InstructorRetryException

from harness import GATEWAY, chats, check, fault, main, same, settings

NAME = "huggingface/groq/meta-llama/Llama-3.1-8B-Instruct"
KEY = {"api_key": "anything", "max_retries": 0, "timeout": 20}
ASK = {"model": NAME, "messages": [{"role": "user", "content": "Anna is a teacher."}]}
OPENAI = openai.OpenAI(base_url=GATEWAY + "/v1", **KEY)
ANTHROPIC = anthropic.Anthropic(base_url=GATEWAY + "/anthropic", **KEY)


class Person(pydantic.BaseModel):
    """A person."""

    name: str
    age: int
    known: bool


def clients():
    """Every way in which Instructor asks for a class, by its name."""
    modes = instructor.Mode
    for mode in (modes.TOOLS, modes.TOOLS_STRICT, modes.JSON_SCHEMA):
        yield mode.name, instructor.from_openai(OPENAI, mode=mode), {}
    yield "RESPONSES_TOOLS", instructor.from_openai(OPENAI, mode=modes.RESPONSES_TOOLS), {}
    yield "ANTHROPIC_TOOLS", instructor.from_anthropic(ANTHROPIC, mode=modes.ANTHROPIC_TOOLS), {"max_tokens": 1000}


@check
def a_class_comes_back_in_every_mode():
    for mode, client, more in clients():
        person = client.create(response_model=Person, **ASK, **more)
        assert isinstance(person, Person), (mode, person)
        assert "Anna" in person.name, (mode, person)


@check
def parts_of_a_class_come_streamed_and_end_with_the_plain_one():
    for mode, client, more in clients():
        plain = client.create(response_model=Person, **ASK, **more)
        parts = list(client.create_partial(response_model=Person, **ASK, **more))
        same(parts[-1].model_dump(), plain.model_dump(), mode)


@check
def several_of_a_class_come_one_by_one():
    client = instructor.from_openai(OPENAI, mode=instructor.Mode.TOOLS)
    people = list(client.create(response_model=Iterable[Person], **ASK))
    assert people and all(isinstance(person, Person) for person in people), people


@check
def the_answer_itself_comes_along():
    for mode, client, more in clients():
        person, raw = client.create_with_completion(response_model=Person, **ASK, **more)
        assert isinstance(person, Person) and raw.id and raw.usage, mode


@check
async def the_async_client_does_the_same():
    caller = openai.AsyncOpenAI(base_url=GATEWAY + "/v1", **KEY)
    person = await instructor.from_openai(caller).create(response_model=Person, **ASK)
    assert isinstance(person, Person)


@check
def a_text_that_is_no_class_is_asked_for_again_with_the_mistake():
    class Strict(Person):
        @pydantic.field_validator("age")
        @classmethod
        def old_enough(cls, age: int) -> int:
            assert age > 100, "too young"
            return age

    for mode, client, more in clients():
        before = len(chats())
        try:
            client.create(response_model=Strict, max_retries=2, **ASK, **more)
        except InstructorRetryException as error:
            assert "too young" in str(error), error
        else:
            raise AssertionError(f"{mode}: taken")
        sent = chats()[before:]
        assert len(sent) >= 2, (mode, len(sent))
        # The second try replays the call and what was wrong with it.
        assert "too young" in sent[1]["body"] and len(sent[1]["body"]) > len(sent[0]["body"]), mode


@check
def json_in_a_text_is_found():
    settings(answer='Here it is: ```json\n{"name": "Anna", "age": 40, "known": true}\n```')
    for client, more in (
        (instructor.from_openai(OPENAI, mode=instructor.Mode.MD_JSON), {}),
        (instructor.from_anthropic(ANTHROPIC, mode=instructor.Mode.ANTHROPIC_JSON), {"max_tokens": 1000}),
    ):
        same(client.create(response_model=Person, **ASK, **more).model_dump(), {"name": "Anna", "age": 40, "known": True})


@check
def a_backends_error_is_told():
    for mode, client, more in clients():
        for status, name in ((401, "AuthenticationError"), (429, "RateLimitError"), (500, "InternalServerError")):
            fault(kind="status", status=status)
            try:
                client.create(response_model=Person, max_retries=1, **ASK, **more)
            except Exception as error:  # Instructor wraps some of the SDKs' errors
                assert name in repr(error) + repr(error.__cause__) or str(status) in str(error), (mode, repr(error))
                # What was wrong with one call is not wrong with the next.
                assert client.create(response_model=Person, **ASK, **more).name, mode
                continue
            raise AssertionError(f"{mode}: no {name}")


if __name__ == "__main__":
    main()
