"""Uploads of every kind, written byte by byte: large, too large, cut off, mislabelled, of too many parts, and a hundred at once.

Needs a gateway whose sandbox is a process of its own (its memory is measured), the server `own` declared at the sandbox, and a folder
for the gateway's temporary files that nobody else uses (TEMPORARY)."""
import concurrent.futures
import contextlib
import http.client
import json
import os
import pathlib
import re
import socket
import struct
import threading
import time
import urllib.parse

from harness import GATEWAY, SANDBOX, asked, check, main, same

PLACE = urllib.parse.urlsplit(GATEWAY)
TEMPORARY = pathlib.Path(os.environ["TEMPORARY"])
PROCESS = pathlib.Path("/proc") / os.environ.get("IRONBOW_PID", "self")
ROUTED = "huggingface/hf-inference/openai/whisper-large-v3"
OWN = "huggingface/own/sandbox/vllm-model"
BOUNDARY = "a-boundary-of-these-tests"
MB = 1024 * 1024
# Two hundred megabytes: what a hundred uploads of one megabyte may come to.
MOST_KIB = 200_000


def wav(size: int, mark=0) -> bytes:
    """Sound of exactly so many bytes, another for each mark."""
    head = b"RIFF" + struct.pack("<I", size - 8) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 16000, 32000, 2, 16)
    data = struct.pack("<I", mark) * ((size - 44) // 4 + 1)
    return head + b"data" + struct.pack("<I", size - 44) + data[: size - 44]


def field(name: str, value: str) -> bytes:
    return f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()


def file(data: bytes, name="speech.wav") -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: audio/wav\r\n\r\n'
    return head.encode() + data + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()
FORM = f"multipart/form-data; boundary={BOUNDARY}"


def form(data: bytes, model=ROUTED) -> bytes:
    """The file first and the model last: the order in which nothing can be decided early."""
    return file(data) + field("model", model) + END


def post(body, kind=FORM, path="/v1/audio/transcriptions", **headers) -> tuple:
    """Status and text of the answer. A body that is not bytes is sent in chunks."""
    with contextlib.closing(http.client.HTTPConnection(PLACE.netloc, timeout=50)) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            # Who is refused early may find the way closed while still sending.
            connection.request("POST", path, body, {"content-type": kind} | headers, encode_chunked=not isinstance(body, bytes))
        reply = connection.getresponse()
        return reply.status, reply.read().decode()


def refused(answer: tuple, *statuses) -> str:
    """The message of an answer that must be one of these refusals, in the gateway's form."""
    status, text = answer
    assert status in statuses, f"{status} instead of {statuses}: {text[:300]}"
    return json.loads(text)["error"]["message"]


def plain(message: str) -> str:
    """Without separators in numbers."""
    return re.sub(r"(?<=\d)[,_](?=\d)", "", message)


def unseen() -> None:
    same(asked("transcription", "image_edit"), [], "what the sandbox saw")


def fnv(data: bytes) -> str:
    hashed = 0xCBF29CE484222325
    for byte in data:
        hashed = (hashed ^ byte) * 0x100000001B3 & 0xFFFF_FFFF_FFFF_FFFF
    return f"{hashed:016x}"


@check
def twenty_five_megabytes_arrive_byte_for_byte():
    sound = wav(25 * MB)
    status, text = post(form(sound, OWN))
    same(status, 200, text[:300])
    assert f"heard {25 * MB} bytes of audio/wav {fnv(sound)}" in text, text


@check
def twenty_five_megabytes_in_chunks_arrive_too():
    body = form(wav(25 * MB, 7), OWN)
    pieces = (body[at : at + 100_000] for at in range(0, len(body), 100_000))
    status, text = post(pieces)
    same(status, 200, text[:300])
    assert f"heard {25 * MB} bytes of audio/wav" in text, text


@check
def what_hugging_face_takes_is_counted_to_the_byte():
    for size in (2 * MB + 1, 25 * MB):
        message = plain(refused(post(form(wav(size))), 413))
        assert str(2 * MB) in message and str(size) in message, message
    unseen()
    status, text = post(form(wav(2 * MB)))
    same(status, 200, text[:300])


@check
def what_is_beyond_the_gateways_own_limit_is_refused_before_it_is_there():
    announced = 33 * MB
    with socket.create_connection((PLACE.hostname, PLACE.port), timeout=10) as connection:
        head = f"POST /v1/audio/transcriptions HTTP/1.1\r\nhost: localhost\r\ncontent-type: {FORM}\r\ncontent-length: {announced}\r\n\r\n"
        connection.sendall(head.encode() + b"--" + BOUNDARY.encode())
        reply = http.client.HTTPResponse(connection)
        reply.begin()
        message = plain(refused((reply.status, reply.read().decode()), 413))
    assert str(announced) in message and str(32 * MB) in message, message
    endless = (b"x" * 100_000 for _ in range(1000))
    message = plain(refused(post(endless), 413))
    assert str(32 * MB) in message, message
    unseen()


@check
def an_upload_that_is_cut_off_reaches_nobody():
    body = form(wav(MB))
    head = f"POST /v1/audio/transcriptions HTTP/1.1\r\nhost: localhost\r\ncontent-type: {FORM}\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    for kept in (0, 10, len(body) // 2, len(body) - 1):
        with socket.create_connection((PLACE.hostname, PLACE.port), timeout=10) as connection:
            connection.sendall(head + body[:kept])
            connection.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionError):
                received = connection.recv(65536)
                assert not received or received.startswith(b"HTTP/1.1 400 "), received[:200]
    unseen()


@check
def a_form_without_its_end_is_no_form():
    whole = form(wav(1000))
    # (Of the last line no more than the closing dashes can be missing and seen.)
    for cut in (len(END), len(END) - 2, len(END) + 1, 400, 1200):
        refused(post(whole[: len(whole) - cut]), 400)
    unseen()


@check
def a_wrong_type_is_named():
    body = form(wav(1000))
    for kind in ("application/json", "text/plain", "audio/wav", "application/octet-stream", "application/x-www-form-urlencoded", ""):
        message = refused(post(body, kind), 400, 415)
        assert "multipart/form-data" in message, (kind, message)
    for kind in ("multipart/form-data", "multipart/form-data; boundary=", f"multipart/form-data; boundary={'b' * 1024}", "multipart/mixed; boundary=x", "multipart/form-data; boundary=another"):
        refused(post(body, kind), 400, 415)
    unseen()


@check
def a_hundred_thousand_parts_are_refused_at_once():
    lots = b"".join(field(f"f{n}", "x") for n in range(100_000))
    for body in (lots + form(wav(1000)), file(wav(1000)) + field("model", ROUTED) + lots + END, file(b"x") * 100_000 + END):
        began = time.monotonic()
        refused(post(body), 400, 413)
        assert time.monotonic() - began < 2, "it took its time"
    same_name = field("model", ROUTED) * 100_000 + file(wav(1000)) + END
    refused(post(same_name), 400, 413)
    refused(post(lots + END, path="/v1/images/edits"), 400, 413)
    unseen()


@check
def odd_parts_do_no_harm():
    for name in ("../../../etc/passwd", "..\\..\\x", "a\0b.wav", "x" * 5000, "", "\u202egnp.wav"):
        status, text = post(file(wav(1000), name) + field("model", ROUTED) + END)
        # A name is never a path: the sound is heard under whatever name, or the name is refused.
        assert status == 200 and "heard 1000 bytes" in text or status == 400, (name, status, text[:200])
    refused(post(field("model", ROUTED) + END), 400)
    refused(post(file(wav(1000)) + END), 400)
    refused(post(field("model", ROUTED) + field("model", OWN) + file(wav(1000)) + END), 400)
    refused(post(field("model", "x" * 3 * MB) + file(wav(1000)) + END), 400, 413)
    refused(post(END), 400)
    refused(post(b""), 400)
    huge_head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{"n" * MB}"\r\n\r\nx\r\n'.encode()
    refused(post(huge_head + field("model", ROUTED) + END), 400, 413)


def hundred_at_once(model: str) -> int:
    """A hundred megabytes in a hundred calls, each kept open until all are there; peak memory in KiB."""
    (PROCESS / "clear_refs").write_text("5")
    before = re.search(r"VmRSS:\s+(\d+)", (PROCESS / "status").read_text())
    print(f"{model}: {int(before.group(1)) / 1000:.0f} MB before")
    barrier = threading.Barrier(100, timeout=60)

    def one(n: int) -> None:
        body = form(wav(MB, n + 1), model)
        head = f"POST /v1/audio/transcriptions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: {FORM}\r\ncontent-length: {len(body)}\r\n\r\n"
        with socket.create_connection((PLACE.hostname, PLACE.port), timeout=60) as connection:
            connection.sendall(head.encode() + body[:-1])
            barrier.wait()
            connection.sendall(body[-1:])
            reply = http.client.HTTPResponse(connection)
            reply.begin()
            text = reply.read().decode()
        assert reply.status == 200 and f"heard {MB} bytes of audio/wav" in text, (n, reply.status, text[:300])

    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        list(pool.map(one, range(100)))
    peak = re.search(r"VmHWM:\s+(\d+)", (PROCESS / "status").read_text())
    return int(peak.group(1))


@check
def a_hundred_megabytes_at_once_stay_within_two_hundred():
    whisper = [f"huggingface/{backend}/openai/whisper-large-v3" for backend in ("hf-inference", "fal-ai", "replicate", "together", "deepinfra")]
    for model in (*whisper, OWN):
        peak = hundred_at_once(model)
        print(f"{model}: {peak / 1000:.0f} MB at the most")
        assert peak < MOST_KIB, f"{model}: {peak} KiB"


@check
def no_upload_leaves_a_file_behind():
    same(list(TEMPORARY.iterdir()), [], "the folder of temporary files")

    def still_open() -> list:
        names = []
        for entry in (PROCESS / "fd").iterdir():
            with contextlib.suppress(OSError):
                names.append(os.readlink(entry))
        return [name for name in names if str(TEMPORARY) in name]

    until = time.monotonic() + 10
    while still_open() and time.monotonic() < until:
        time.sleep(0.05)
    same(still_open(), [], "temporary files that are still open")


@check
def after_all_that_it_answers():
    assert SANDBOX, "the sandbox's address is needed"
    status, text = post(form(wav(1000)))
    same(status, 200, text)


if __name__ == "__main__":
    main()
