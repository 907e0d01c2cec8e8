"""Real engines through the gateway: a model of embeddings that knows what texts mean, and spoken words that are heard again."""
import math
import struct

from openai import OpenAI

from harness import GATEWAY, check, main, same

NEAR = "huggingface/nano/multilingual-e5-small"
# The same engines twice: as an Inference Endpoint, and as a server that speaks OpenAI's API.
MOUTHS = ["huggingface/mouth/piper", "huggingface/sound/piper"]
EARS = ["huggingface/ear/pocketsphinx", "huggingface/sound/pocketsphinx"]
SENTENCE = "the weather is very nice today"

client = OpenAI(base_url=GATEWAY + "/v1", api_key="anything", max_retries=0, timeout=60)


def vectors(texts, **more) -> list:
    return [item.embedding for item in client.embeddings.create(model=NEAR, input=texts, **more).data]


def cosine(left, right) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True)) / math.sqrt(sum(a * a for a in left) * sum(b * b for b in right))


def heard(sound, ear=EARS[0], **more):
    return client.audio.transcriptions.create(model=ear, file=sound, **more)


def spoken(mouth=MOUTHS[0], text=SENTENCE, **more) -> bytes:
    return client.audio.speech.create(model=mouth, input=text, voice="joe", **more).content


@check
def a_translation_is_nearer_than_another_thought():
    english, german, other = vectors(["The cat sleeps on the sofa.", "Die Katze schläft auf dem Sofa.", "Interest rates rose by two percent."])
    same(len(english), 384)
    assert cosine(english, german) > cosine(english, other) + 0.05, (cosine(english, german), cosine(english, other))


@check
def base64_and_floats_are_the_same_vector():
    plain, coded = vectors(["one text"], encoding_format="float")[0], vectors(["one text"])[0]
    assert cosine(plain, coded) > 0.999999


@check
def a_batch_is_in_the_order_of_its_texts():
    texts = [f"number {n}" for n in range(40)]
    together = vectors(texts)
    for n in (0, 17, 39):
        assert cosine(together[n], vectors([texts[n]])[0]) > 0.9999, n


@check
def spoken_words_come_back():
    for mouth in MOUTHS:
        for ear in EARS:
            same(heard(("speech.wav", spoken(mouth)), ear).text, SENTENCE, f"{mouth}, {ear}")


@check
def every_format_made_here_is_read_by_other_peoples_decoders():
    for form in ("wav", "flac", "opus", "mp3"):
        same(heard((f"speech.{form}", spoken(response_format=form))).text, SENTENCE, form)


@check
def bare_samples_are_what_openai_says_they_are():
    samples = spoken(response_format="pcm")
    head = b"RIFF" + struct.pack("<I", 36 + len(samples)) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 24000, 48000, 2, 16)
    same(heard(("pcm.wav", head + b"data" + struct.pack("<I", len(samples)) + samples)).text, SENTENCE)


@check
def a_transcript_is_written_as_text_too():
    same(heard(("speech.wav", spoken()), response_format="text").strip(), SENTENCE)


@check
def speech_streams():
    with client.audio.speech.with_streaming_response.create(model=MOUTHS[1], input=SENTENCE, voice="joe") as reply:
        same(reply.headers["content-type"], "audio/wav")
        same(heard(("speech.wav", b"".join(reply.iter_bytes()))).text, SENTENCE)


if __name__ == "__main__":
    main()
