"""OpenAI's Python SDK against the gateway: speech, transcription, translation.

The sandbox speaks in tones, a letter at a time, and hears them again: what is spoken at one backend must be heard at another.
"""
import asyncio
import base64
import io
import json
import os
import pathlib
import re
import struct

import openai
from openai import AsyncOpenAI, OpenAI

from harness import GATEWAY, asked, check, fault, main, raises, same

SPEAKERS = ["hf-inference", "fal-ai", "replicate", "together", "deepinfra"]
HEARERS = ["fal-ai", "hf-inference", "replicate", "together", "deepinfra"]
SPEAKS = "huggingface/hf-inference/sandbox/speaks"
HEARS = "huggingface/hf-inference/openai/whisper-large-v3"
WORDS = "The quick brown fox jumps over the dog"
SOUNDS = pathlib.Path(os.environ.get("SOUNDS") or pathlib.Path(__file__).parents[2] / "crates/media/tests/sounds")
# As browsers, phones and programs record: each with the type that they claim.
RECORDINGS = {
    "tone.wav": "audio/wav", "tone.flac": "audio/flac", "tone-id3.mp3": "audio/mpeg", "tone-stereo.m4a": "audio/mp4",
    "alac.m4a": "audio/x-m4a", "safari.mp4": "audio/mp4", "vorbis.ogg": "audio/ogg", "voice.opus": "audio/ogg",
    "browser.webm": "audio/webm", "tone.aiff": "audio/aiff", "video.webm": "video/webm",
}
# The first bytes of each format, and the label under which it comes.
BEGINS = {
    "wav": (b"RIFF", "audio/wav"),
    "flac": (b"fLaC", "audio/flac"),
    "mp3": ((b"ID3", b"\xff\xfb", b"\xff\xf3"), "audio/mpeg"),
    "opus": (b"OggS", "audio/ogg"),
}

client = OpenAI(base_url=GATEWAY + "/v1", api_key="anything", max_retries=0, timeout=30)


def speak(text=WORDS, model=SPEAKS, **more):
    return client.audio.speech.create(model=model, input=text, **{"voice": "alloy"} | more)


def voice(backend: str) -> dict:
    """together demands a voice of its model's own."""
    return {"voice": "af_alloy"} if backend == "together" else {}


def hear(sound, model=HEARS, **more):
    return client.audio.transcriptions.create(model=model, file=sound, **more)


_spoken = {}


def spoken(text=WORDS, form="wav") -> tuple:
    """A file that says so, as the SDK takes it."""
    key = (text, form)
    if key not in _spoken:
        _spoken[key] = speak(text, response_format=form).read()
    return (f"speech.{form}", _spoken[key])


@check
def what_one_backend_speaks_another_one_hears():
    for backend in SPEAKERS:
        sound = speak(f"hello from {backend}", f"huggingface/{backend}/sandbox/speaks", **voice(backend)).read()
        same(hear(("speech", sound)).text, f"hello from {backend}")


@check
def every_backend_hears_the_same():
    for backend in HEARERS:
        reply = hear(spoken(), f"huggingface/{backend}/openai/whisper-large-v3")
        same(reply.text, WORDS, backend)


@check
def the_odd_shapes_of_transcripts_are_read_too():
    for model in ("fal-ai/openai/whisper-large-v3-turbo", "replicate/openai/whisper-large-v3-turbo", "replicate/facebook/wav2vec2-large-960h-lv60-self"):
        same(hear(spoken(), f"huggingface/{model}").text, WORDS, model)


@check
def without_a_format_the_backends_own_comes_truly_labelled():
    labels = {"hf-inference": "audio/flac", "fal-ai": "audio/wav", "replicate": "audio/wav", "together": "audio/wav", "deepinfra": "audio/wav"}
    for backend, label in labels.items():
        reply = speak(model=f"huggingface/{backend}/sandbox/speaks", **voice(backend))
        same(reply.response.headers["content-type"], label, backend)
        assert reply.content.startswith(BEGINS[label.split("/")[1]][0]), backend


@check
def every_format_is_what_it_says_wherever_it_comes_from():
    for backend in SPEAKERS:
        for form, (begins, label) in BEGINS.items():
            reply = speak(model=f"huggingface/{backend}/sandbox/speaks", response_format=form, **voice(backend))
            assert reply.content.startswith(begins), (backend, form, reply.content[:16])
            same(reply.response.headers["content-type"], label, f"{backend}, {form}")
            # fal-ai takes no Opus: what it hears was taken apart and put together here. Of MP3 the sandbox reads its own only.
            again = hear((f"speech.{form}", reply.content), "huggingface/fal-ai/openai/whisper-large-v3").text
            assert again == WORDS or form == "mp3" and again.startswith("heard "), f"{backend}, {form}: {again}"


@check
def bare_samples_are_24_khz_16_bit_mono():
    samples = speak("abc", response_format="pcm").content
    # Five letters, checksum included, 40 ms each.
    assert abs(len(samples) / 2 / 24_000 - 0.2) < 0.02, len(samples)
    head = b"RIFF" + struct.pack("<I", 36 + len(samples)) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 24_000, 48_000, 2, 16)
    same(hear(("pcm.wav", head + b"data" + struct.pack("<I", len(samples)) + samples)).text, "abc")


@check
def speech_streams_into_a_file():
    whole = speak(response_format="flac").content
    with client.audio.speech.with_streaming_response.create(model=SPEAKS, input=WORDS, voice="alloy", response_format="flac") as reply:
        same(b"".join(reply.iter_bytes(1000)), whole)
    with client.audio.speech.with_streaming_response.create(model="huggingface/fal-ai/sandbox/speaks", input=WORDS, voice="alloy") as reply:
        same(hear(("speech.wav", b"".join(reply.iter_bytes()))).text, WORDS)


@check
def speech_as_events_adds_up_to_the_plain_sound():
    with client.audio.speech.with_streaming_response.create(model=SPEAKS, input=WORDS, voice="alloy", stream_format="sse") as reply:
        assert reply.headers["content-type"].startswith("text/event-stream")
        events = [json.loads(line[6:]) for line in reply.iter_lines() if line.startswith("data: ")]
    same({e["type"] for e in events[:-1]}, {"speech.audio.delta"})
    same(events[-1]["type"], "speech.audio.done")
    same(b"".join(base64.b64decode(e["audio"]) for e in events[:-1]), speak().content)


@check
def recordings_of_browsers_and_phones_are_taken_by_every_backend():
    for backend in HEARERS:
        for name, label in RECORDINGS.items():
            reply = hear((name, (SOUNDS / name).read_bytes(), label), f"huggingface/{backend}/openai/whisper-large-v3")
            assert reply.text.startswith("heard "), f"{backend}, {name}: {reply.text}"


@check
def the_bytes_decide_what_a_file_is_and_not_its_name():
    _name, sound = spoken(form="flac")
    for liar in (("lie.mp3", sound, "audio/mpeg"), ("lie.txt", sound, "text/plain"), ("noname", sound), sound):
        for backend in ("hf-inference", "fal-ai", "together"):
            same(hear(liar, f"huggingface/{backend}/openai/whisper-large-v3").text, WORDS, backend)


@check
def compressed_speech_is_converted_for_who_does_not_take_it():
    for form in ("opus", "flac"):
        same(hear(spoken(form=form), "huggingface/fal-ai/openai/whisper-large-v3").text, WORDS, form)
    assert "audio/ogg" in hear(spoken(form="opus")).text, "hf-inference takes Ogg as it is"


@check
def every_written_form_of_a_transcript():
    for backend in HEARERS:
        model = f"huggingface/{backend}/openai/whisper-large-v3"
        same(hear(spoken(), model, response_format="text").strip(), WORDS, backend)
        full = hear(spoken(), model, response_format="verbose_json")
        same(full.text, WORDS, backend)
        assert full.duration > 1 and full.segments, (backend, full)
        same(" ".join(s.text.strip() for s in full.segments), WORDS, backend)
        ends = [(s.start, s.end) for s in full.segments]
        assert all(start < end for start, end in ends) and ends == sorted(ends), (backend, ends)
        srt = hear(spoken(), model, response_format="srt")
        assert re.match(r"1\n00:00:00,\d{3} --> 00:00:0\d,\d{3}\nThe quick", srt), (backend, srt)
        vtt = hear(spoken(), model, response_format="vtt")
        assert re.match(r"WEBVTT\n\n00:00:00\.\d{3} --> 00:00:0\d\.\d{3}\nThe quick", vtt), (backend, vtt)
        same(srt.count("-->"), vtt.count("-->"), backend)


@check
def words_have_times_where_they_are_asked_for():
    for backend in ("hf-inference", "fal-ai", "together", "deepinfra"):
        full = hear(
            spoken(), f"huggingface/{backend}/openai/whisper-large-v3",
            response_format="verbose_json", timestamp_granularities=["word"],
        )
        same([w.word.strip() for w in full.words], WORDS.split(), backend)
        assert all(w.start < w.end for w in full.words), backend


@check
def a_transcript_streams_as_events():
    events = list(hear(spoken(), stream=True))
    same(events[-1].type, "transcript.text.done")
    same(events[-1].text, WORDS)
    same("".join(e.delta for e in events if e.type == "transcript.text.delta"), WORDS)


@check
def a_translation_is_asked_for_where_it_can_be():
    for backend in ("fal-ai", "replicate"):
        reply = client.audio.translations.create(model=f"huggingface/{backend}/openai/whisper-large-v3", file=spoken())
        same(reply.text, f"translation: {WORDS}", backend)
    raises(openai.BadRequestError, lambda: client.audio.translations.create(model=HEARS, file=spoken()))


@check
def a_file_may_be_a_path_a_handle_or_bytes():
    path = SOUNDS / "tone.flac"
    texts = [hear(path).text, hear(path.read_bytes()).text, hear(io.BytesIO(path.read_bytes())).text]
    with open(path, "rb") as handle:
        texts.append(hear(handle).text)
    same(set(texts), {texts[0]})


@check
def mistakes_name_the_member():
    def refused(action, param, kind=openai.BadRequestError):
        same(raises(kind, action).param, param)

    refused(lambda: speak(""), "input")
    refused(lambda: speak(speed=9), "speed")
    refused(lambda: speak(response_format="midi"), "response_format")
    refused(lambda: hear(("empty.wav", b"")), "file")
    refused(lambda: hear(spoken(), response_format="haiku"), "response_format")
    refused(lambda: hear(spoken(), timestamp_granularities=["word"]), "timestamp_granularities")
    refused(lambda: speak(model="huggingface/fal-ai/sandbox/speaks", instructions="whisper"), "instructions")
    for action in (lambda: speak(model="huggingface/groq/x/y"), lambda: hear(spoken(), "huggingface/groq/x/y")):
        same(raises(openai.BadRequestError, action).code, "unsupported_operation")
    raises(openai.NotFoundError, lambda: speak(model="huggingface/fal-ai/nobody/has-this"))


@check
def what_is_no_sound_is_refused_by_name_or_passed_to_who_may_know_it():
    for name, data in (("words.txt", b"these are only words, and no sound at all"), ("tone.au", (SOUNDS / "tone.au").read_bytes())):
        error = raises(openai.BadRequestError, lambda name=name, data=data: hear((name, data), "huggingface/fal-ai/openai/whisper-large-v3"))
        same(error.param, "file", name)
    same(asked("transcription"), [], "what the sandbox saw")


@check
def two_megabytes_and_a_byte_are_refused_with_both_sizes_and_an_offer():
    name, sound = "long.mp3", (SOUNDS / "tone-id3.mp3").read_bytes()
    big = sound + bytes(2 * 1024 * 1024 + 1 - len(sound))
    error = raises(openai.APIStatusError, lambda: hear((name, big, "audio/mpeg")))
    same(error.status_code, 413)
    numbers = re.sub(r"(?<=\d)[,_](?=\d)", "", error.message)
    assert "2097152" in numbers and re.search(r"\b(209715[3-9]|20971[6-9]\d|2097[2-9]\d\d|209[89]\d{3}|2[1-9]\d{5})\b", numbers), error.message
    same(asked("transcription"), [], "what the sandbox saw")


@check
def a_backends_errors_come_out_as_the_sdks_classes():
    for status, expected in ((401, openai.AuthenticationError), (429, openai.RateLimitError), (503, openai.InternalServerError)):
        fault(operation="speech", kind="status", status=status)
        assert raises(expected, speak).message, status
        fault(operation="transcription", kind="status", status=status)
        assert raises(expected, lambda: hear(("tone.flac", (SOUNDS / "tone.flac").read_bytes()))).request_id, status


@check
def speech_that_breaks_off_is_not_taken_for_whole():
    for kind in ("cut", "reset"):
        fault(operation="speech", kind=kind, after=1)
        raises_any(lambda: speak().read(), kind)


def raises_any(action, what) -> None:
    """The SDK shows a broken body as an error of its own or of the HTTP library beneath."""
    try:
        action()
    except Exception:
        return
    raise AssertionError(f"{what}: half a sound passed for a whole one")


@check
async def the_async_client_speaks_and_hears():
    async with AsyncOpenAI(base_url=GATEWAY + "/openai/v1", api_key="x", max_retries=0, timeout=50) as caller:

        async def one(n):
            text = f"caller {n}"
            sound = await caller.audio.speech.create(model=SPEAKS, input=text, voice="alloy", response_format="wav")
            reply = await caller.audio.transcriptions.create(model=HEARS, file=("a.wav", sound.content))
            same(reply.text, text)

        await asyncio.gather(*(one(n) for n in range(20)))


if __name__ == "__main__":
    main()
