"""OpenAI's Python SDK against the gateway: pictures made, edited, and streamed; and the list of models.

The sandbox's pictures say what they were made of: see pictures.py and docs/sandbox.md.
"""
import asyncio
import base64
import time
import urllib.error
import urllib.request

import openai
from openai import AsyncOpenAI, OpenAI

from harness import GATEWAY, asked, check, fault, main, raises, same, settings
from pictures import picture, plain_picture

PAINTERS = ["hf-inference", "fal-ai", "replicate", "together", "nscale", "wavespeed", "zai-org"]
EDITORS = ["fal-ai", "replicate", "together", "wavespeed", "hf-inference"]
DRAWS = "huggingface/fal-ai/sandbox/draws"
EDITS = "huggingface/fal-ai/sandbox/edits"

client = OpenAI(base_url=GATEWAY + "/v1", api_key="anything", max_retries=0, timeout=40)


def draw(prompt="a cat", model=DRAWS, **more):
    return client.images.generate(model=model, prompt=prompt, **more)


def edit(image, prompt="make it red", model=EDITS, **more):
    return client.images.edit(model=model, image=image, prompt=prompt, **more)


def named(data: bytes, name="in.png") -> tuple:
    return (name, data, "image/png")


def shown(item) -> dict:
    """The picture of one item, however it came."""
    if item.b64_json:
        return picture(base64.b64decode(item.b64_json))
    with urllib.request.urlopen(item.url, timeout=10) as reply:
        return picture(reply.read())


@check
def every_backend_paints_what_is_asked_in_both_forms():
    for backend in PAINTERS:
        for form in ("b64_json", "url"):
            reply = draw(f"a cat at {backend}", f"huggingface/{backend}/sandbox/draws", response_format=form, size="128x64")
            same(len(reply.data), 1, backend)
            item = reply.data[0]
            same((item.b64_json is None, item.url is None), (form == "url", form != "url"), f"{backend}, {form}")
            found = shown(item)
            same((found["size"], found["description"]), ((128, 64), f"a cat at {backend}"), f"{backend}, {form}")
            assert reply.created > 0


@check
def an_address_of_the_gateway_is_a_picture_for_an_hour_and_cannot_be_guessed():
    reply = draw(model="huggingface/hf-inference/sandbox/draws", response_format="url")
    assert reply.data[0].url.startswith(GATEWAY + "/v1/files/"), reply.data[0].url
    with urllib.request.urlopen(reply.data[0].url, timeout=10) as got:
        same(got.headers["content-type"], "image/png")
        assert got.headers["x-content-type-options"] == "nosniff"
    try:
        urllib.request.urlopen(GATEWAY + "/v1/files/0000000000000000", timeout=10)
    except urllib.error.HTTPError as error:
        same(error.code, 404)
    else:
        raise AssertionError("a made-up name was a file")


@check
def several_pictures_are_several_pictures():
    for backend in ("fal-ai", "replicate", "together", "nscale"):
        reply = draw(model=f"huggingface/{backend}/sandbox/draws", n=3, response_format="b64_json")
        same(sorted(shown(item)["index"] for item in reply.data), [0, 1, 2], backend)
    for backend in ("hf-inference", "wavespeed", "zai-org"):
        error = raises(openai.BadRequestError, lambda backend=backend: draw(model=f"huggingface/{backend}/sandbox/draws", n=3))
        same(error.param, "n", backend)


@check
def a_size_of_auto_leaves_it_to_the_backend():
    for backend in PAINTERS:
        found = shown(draw(model=f"huggingface/{backend}/sandbox/draws", size="auto", response_format="b64_json").data[0])
        assert found["size"][0] >= 256, (backend, found)


@check
def seeds_beyond_63_bits_arrive_whole():
    seed = 2**63 + 12345
    for backend in ("fal-ai", "hf-inference", "together"):
        found = shown(draw(model=f"huggingface/{backend}/sandbox/draws", extra_body={"seed": seed}, response_format="b64_json").data[0])
        same(found["seed"], seed, backend)


@check
def a_negative_prompt_reaches_the_backend():
    for backend in ("fal-ai", "hf-inference", "replicate"):
        found = shown(draw(model=f"huggingface/{backend}/sandbox/draws", extra_body={"negative_prompt": "dogs"}, response_format="b64_json").data[0])
        same(found["description"], "a cat\nnegative: dogs", backend)


@check
def an_adapter_from_the_hub_goes_with_its_weights():
    for backend in ("fal-ai", "replicate", "wavespeed"):
        model = f"huggingface/{backend}/openfree/flux-chatgpt-ghibli-lora"
        found = shown(draw(model=model, response_format="b64_json").data[0])
        assert "lora: " in found["description"] and "ghibli" in found["description"], (backend, found)


@check
def one_picture_is_edited_by_every_backend():
    for backend in EDITORS:
        reply = edit(named(plain_picture()), model=f"huggingface/{backend}/sandbox/edits", response_format="b64_json")
        found = shown(reply.data[0])
        same(found["size"], (48, 32), backend)
        assert found["description"].startswith("make it red\ninput: "), (backend, found)


@check
def different_pictures_are_edited_into_different_ones():
    first, second = (edit(named(plain_picture(grey=grey)), response_format="b64_json").data[0] for grey in (10, 200))
    assert shown(first)["description"] != shown(second)["description"]


@check
def several_pictures_are_edited_together():
    images = [named(plain_picture(grey=grey), f"{grey}.png") for grey in (10, 100, 200)]
    for model in (EDITS, "huggingface/together/sandbox/edits", "huggingface/replicate/sandbox/edits", "huggingface/wavespeed/sandbox/edits"):
        found = shown(edit(images, model=model, response_format="b64_json").data[0])
        same(found["description"].count("input: "), 3, model)
    raises(openai.BadRequestError, lambda: edit(images, model="huggingface/hf-inference/sandbox/edits"))


@check
def a_mask_goes_along_where_the_model_takes_one_and_is_refused_elsewhere():
    error = raises(openai.BadRequestError, lambda: edit(named(plain_picture()), mask=named(plain_picture(), "mask.png"), model="huggingface/together/sandbox/edits"))
    same(error.param, "mask")


@check
def an_edit_in_json_is_the_same_edit():
    address = "data:image/png;base64," + base64.b64encode(plain_picture()).decode()
    body = {"model": EDITS, "prompt": "make it red", "image": address, "response_format": "b64_json"}
    reply = client.post("/images/edits", body=body, cast_to=openai.types.ImagesResponse)
    same(shown(reply.data[0]), shown(edit(named(plain_picture()), response_format="b64_json").data[0]))


@check
def a_picture_streams_from_sketch_to_finish():
    for stream, kind in (
        (draw(stream=True, partial_images=2), "image_generation"),
        (edit(named(plain_picture()), stream=True, partial_images=2), "image_edit"),
    ):
        events = list(stream)
        same([e.type for e in events], [f"{kind}.partial_image", f"{kind}.partial_image", f"{kind}.completed"])
        same([e.partial_image_index for e in events[:-1]], [0, 1])
        found = [picture(base64.b64decode(e.b64_json)) for e in events]
        same([f["sketch"] for f in found], [1, 2, 0])
        done = events[-1]
        assert done.created_at > 0 and done.output_format == "png" and done.usage is not None, done


@check
def a_stream_without_sketches_is_the_finished_picture_alone():
    same([e.type for e in draw(stream=True, partial_images=0)], ["image_generation.completed"])


@check
def a_stream_that_breaks_ends_with_an_error():
    for kind in ("cut", "reset", "stream_error"):
        fault(operation="image_stream", kind=kind, after=1)
        try:
            events = [e.type for e in draw(stream=True, partial_images=2)]
        except openai.APIError:
            continue
        raise AssertionError(f"{kind}: the stream ended as if it were whole: {events}")


@check
def a_backend_that_cannot_stream_says_so():
    error = raises(openai.BadRequestError, lambda: list(draw(model="huggingface/hf-inference/sandbox/draws", stream=True)))
    assert "fal-ai" in error.message, error.message


@check
def long_jobs_are_waited_for():
    settings(queue_polls=1, slow_predictions=True)
    for backend in ("replicate", "wavespeed", "zai-org"):
        found = shown(draw(model=f"huggingface/{backend}/sandbox/draws", response_format="b64_json").data[0])
        same(found["description"], "a cat", backend)


def later(path: str, **body):
    """A call that nobody waits for: the job that it became."""
    reply = client.post(path, body=body, cast_to=object, options={"headers": {"prefer": "respond-async"}})
    assert reply["object"] == "job" and reply["id"], reply
    return reply


def ended(job: dict) -> dict:
    """The job when it has ended."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        now = client.get(f"/jobs/{job['id']}", cast_to=object)
        if now["status"] not in ("queued", "running"):
            return now
        time.sleep(0.05)
    raise AssertionError(f"the job does not end: {now}")


@check
def a_call_that_nobody_waits_for_is_a_job_whose_result_is_the_answer():
    job = later("/images/generations", model=DRAWS, prompt="a cat for later", response_format="b64_json")
    same(ended(job)["status"], "succeeded")
    result = client.get(f"/jobs/{job['id']}/result", cast_to=openai.types.ImagesResponse)
    same(shown(result.data[0])["description"], "a cat for later")
    listed = client.get("/jobs", cast_to=object)
    assert job["id"] in [one["id"] for one in listed["data"]], listed


@check
def a_job_that_is_not_wanted_any_more_is_cancelled():
    settings(queue_ends="stuck")
    job = later("/images/generations", model="huggingface/wavespeed/sandbox/draws", prompt="never")
    same(client.post(f"/jobs/{job['id']}/cancel", cast_to=object)["status"], "cancelled")
    raises(openai.NotFoundError, lambda: client.get(f"/jobs/{job['id']}/result", cast_to=object))


@check
def a_job_that_fails_is_an_error_in_its_own_words():
    settings(queue_ends="failed", queue_message="the paint is dry", slow_predictions=True)
    for backend in ("fal-ai", "replicate", "wavespeed"):
        error = raises_status(lambda backend=backend: draw(model=f"huggingface/{backend}/sandbox/draws"))
        assert "the paint is dry" in error.message, (backend, error.message)


def raises_status(action):
    try:
        action()
    except openai.APIStatusError as error:
        return error
    raise AssertionError("no error")


@check
def variations_and_backends_that_cannot_are_unsupported_operations():
    for action in (
        lambda: client.images.create_variation(image=named(plain_picture()), model=EDITS),
        lambda: draw(model="huggingface/groq/x/y"),
        lambda: edit(named(plain_picture()), model="huggingface/nscale/sandbox/draws"),
        lambda: client.chat.completions.create(model=DRAWS, messages=[{"role": "user", "content": "x"}]),
    ):
        same(raises(openai.BadRequestError, action).code, "unsupported_operation")


@check
def mistakes_name_the_member():
    for more, param in (({"size": "big"}, "size"), ({"n": 11}, "n"), ({"response_format": "gif"}, "response_format")):
        same(raises(openai.BadRequestError, lambda more=more: draw(**more)).param, param)
    same(raises(openai.BadRequestError, lambda: draw("  ")).param, "prompt")
    same(asked("image"), [], "what the sandbox saw")


@check
def a_backends_errors_come_out_as_the_sdks_classes():
    for status, expected in ((401, openai.AuthenticationError), (429, openai.RateLimitError), (503, openai.InternalServerError)):
        fault(operation="image", kind="status", status=status)
        assert raises(expected, draw).message, status
        fault(operation="image_edit", kind="status", status=status)
        assert raises(expected, lambda: edit(named(plain_picture()))).request_id, status


@check
def the_list_of_models_ends_and_has_every_task():
    seen = [model.id for model in client.models.list()]
    same(len(seen), len(set(seen)), "listed twice")
    for wanted in (DRAWS, EDITS, "huggingface/scaleway/sandbox/embeds", "huggingface/hf-inference/sandbox/speaks", "huggingface/fal-ai/openai/whisper-large-v3"):
        assert wanted in seen, (wanted, len(seen))
        same(client.models.retrieve(wanted).id, wanted)


@check
def a_list_cut_into_pages_is_the_same_list():
    whole = [model.id for model in client.models.list()]
    same([model.id for model in client.models.list(extra_query={"limit": 7})][:7], whole[:7])
    only = [model.id for model in client.models.list(extra_query={"backend": "fal-ai"})]
    assert only and all(name.startswith("huggingface/fal-ai/") for name in only), only[:5]
    assert DRAWS in [m.id for m in client.models.list(extra_query={"task": "text-to-image"})]


@check
async def the_async_client_paints_edits_and_streams():
    async with AsyncOpenAI(base_url=GATEWAY + "/openai/v1", api_key="x", max_retries=0, timeout=50) as caller:
        replies = await asyncio.gather(
            *(caller.images.generate(model=DRAWS, prompt=f"caller {n}", response_format="b64_json") for n in range(20))
        )
        same([shown(reply.data[0])["description"] for reply in replies], [f"caller {n}" for n in range(20)])
        edited = await caller.images.edit(model=EDITS, image=named(plain_picture()), prompt="x", response_format="b64_json")
        assert shown(edited.data[0])["description"].startswith("x\ninput: ")
        stream = await caller.images.generate(model=DRAWS, prompt="a cat", stream=True, partial_images=1)
        same([event.type async for event in stream][-1], "image_generation.completed")


if __name__ == "__main__":
    # Jobs are done when they are first asked after.
    main(lambda: settings(queue_polls=0))
