"""Requests that two HTTP parsers could read differently, sent to FRONT_URL: the gateway itself, or a proxy in front of it.

Each case carries a second chat hidden behind its framing. The gateway may answer it only if the front saw it as a request of
its own, that is, if the caller got two answers for it. And after each case a plain chat must get its own answer, not one that
was left over."""
import json
import os
import socket
import urllib.parse
import uuid

from harness import GATEWAY, check, chats, main, same

FRONT = urllib.parse.urlsplit(os.environ.get("FRONT_URL", GATEWAY))
MODEL = "huggingface/groq/meta-llama/Llama-3.1-8B-Instruct"


def chat(text: str) -> bytes:
    return json.dumps({"model": MODEL, "messages": [{"role": "user", "content": text}]}).encode()


def head(*lines: str, version="HTTP/1.1") -> bytes:
    fixed = [f"POST /v1/chat/completions {version}", "host: localhost", "content-type: application/json"]
    return "\r\n".join([*fixed, *lines, "", ""]).encode("latin-1")


def hidden(mark: str) -> bytes:
    body = chat(f"hidden {mark}")
    return head(f"content-length: {len(body)}") + body


def exchange(raw: bytes, patience: float) -> bytes:
    """Everything that comes back on one connection until it closes or falls silent."""
    with socket.create_connection((FRONT.hostname, FRONT.port), timeout=10) as connection:
        connection.settimeout(patience)
        received = b""
        try:
            connection.sendall(raw)
            while piece := connection.recv(65536):
                received += piece
        except (TimeoutError, ConnectionError):
            pass
        return received


def answers(received: bytes) -> int:
    """Final answers; an interim `100 Continue` is none."""
    return received.count(b"HTTP/1.1 ") + received.count(b"HTTP/1.0 ") - received.count(b"HTTP/1.1 100")


def one(name: str, build) -> None:
    """Sends one case and looks at what the gateway's upstream saw of it."""
    mark = uuid.uuid4().hex
    received = exchange(build(mark), 0.4)
    seen = [entry for entry in chats() if mark in entry.get("body", "")]
    smuggled = [entry for entry in seen if f"hidden {mark}" in entry["body"] and f"open {mark}" not in entry["body"]]
    assert len(smuggled) <= 1, f"{name}: the hidden chat arrived {len(smuggled)} times"
    if smuggled:
        assert answers(received) >= 2, f"{name}: the hidden chat was answered to nobody: {received[:200]!r}"
    after = uuid.uuid4().hex
    body = chat(f"plain {after}")
    reply = exchange(head(f"content-length: {len(body)}", "connection: close") + body, 10)
    assert f"plain {after}".encode() in reply, f"{name}: the next caller got {reply[:300]!r}"


def with_length(*lines: str):
    """A body that ends where a plain reader of content-length says; the hidden chat follows."""

    def build(mark: str) -> bytes:
        body = chat(f"open {mark}")
        return head(*[line.replace("LENGTH", str(len(body))) for line in lines]) + body + hidden(mark)

    return build


def with_chunks(*lines: str, end="0\r\n\r\n", size="{:x}", cut="\r\n", version="HTTP/1.1"):
    """A chunked body; the hidden chat follows."""

    def build(mark: str) -> bytes:
        body = chat(f"open {mark}")
        chunk = size.format(len(body)).encode() + cut.encode() + body + cut.encode() + end.encode()
        lined = [line.replace("LENGTH", str(len(chunk))) for line in lines]
        return head(*lined, version=version) + chunk + hidden(mark)

    return build


LENGTHS = {
    "two lengths alike": ("content-length: LENGTH", "content-length: LENGTH"),
    "two lengths, one zero": ("content-length: LENGTH", "content-length: 0"),
    "zero, then the length": ("content-length: 0", "content-length: LENGTH"),
    "lengths in a list": ("content-length: LENGTH, LENGTH",),
    "lengths in a list, one zero": ("content-length: LENGTH, 0",),
    "a plus": ("content-length: +LENGTH",),
    "a minus": ("content-length: -LENGTH",),
    "a leading zero": ("content-length: 0LENGTH",),
    "hexadecimal": ("content-length: 0xLENGTH",),
    "a fraction": ("content-length: LENGTH.0",),
    "a letter behind": ("content-length: LENGTHa",),
    "blanks around": ("content-length:   LENGTH  ",),
    "a tab": ("content-length:\tLENGTH",),
    "a space before the colon": ("content-length : LENGTH",),
    "a tab before the colon": ("content-length\t: LENGTH",),
    "folded": ("content-length:\r\n LENGTH",),
    "a folded header before": ("x-a: b\r\n c", "content-length: LENGTH"),
    "a folded length of zero": ("x-a: b\r\n content-length: 0", "content-length: LENGTH"),
    "no colon": ("content-length LENGTH",),
    "empty": ("content-length:",),
    "an empty name": (": x", "content-length: LENGTH"),
    "an underscore twin": ("content_length: 0", "content-length: LENGTH"),
    "a bare line feed between": ("x-a: b\ncontent-length: 0", "content-length: LENGTH"),
    "a bare carriage return": ("x-a: b\rcontent-length: 0", "content-length: LENGTH"),
    "a NUL": ("x-a: b\0", "content-length: LENGTH"),
    "none at all": (),
    "too large for a number": ("content-length: 99999999999999999999999",),
    "connection names it": ("connection: content-length", "content-length: LENGTH"),
    "expect": ("expect: 100-continue", "content-length: LENGTH"),
    "an unknown expectation": ("expect: a-miracle", "content-length: LENGTH"),
    "upgrade to websocket": ("connection: upgrade", "upgrade: websocket", "content-length: LENGTH"),
    "upgrade to h2c": ("connection: upgrade, http2-settings", "upgrade: h2c", "http2-settings: AAMAAABkAAQCAAAAAAIAAAAA", "content-length: LENGTH"),
}

CODINGS = {
    "chunked": ("transfer-encoding: chunked",),
    "chunked and a length": ("transfer-encoding: chunked", "content-length: 4"),
    "a length and chunked": ("content-length: 4", "transfer-encoding: chunked"),
    "chunked and the whole length": ("content-length: LENGTH", "transfer-encoding: chunked"),
    "identity": ("transfer-encoding: identity", "content-length: LENGTH"),
    "chunked, identity": ("transfer-encoding: chunked, identity",),
    "identity, chunked": ("transfer-encoding: identity, chunked",),
    "gzip, chunked": ("transfer-encoding: gzip, chunked",),
    "chunked twice": ("transfer-encoding: chunked, chunked",),
    "two headers": ("transfer-encoding: chunked", "transfer-encoding: identity"),
    "two headers alike": ("transfer-encoding: chunked", "transfer-encoding: chunked"),
    "capital letters": ("transfer-encoding: CHUNKED",),
    "a vertical tab": ("transfer-encoding: \x0bchunked", "content-length: LENGTH"),
    "a comma behind": ("transfer-encoding: chunked,",),
    "a semicolon": ("transfer-encoding: chunked;q=1",),
    "in quotes": ('transfer-encoding: "chunked"', "content-length: LENGTH"),
    "an x before": ("transfer-encoding: xchunked", "content-length: LENGTH"),
    "a space before the colon": ("transfer-encoding : chunked", "content-length: LENGTH"),
    "folded": ("transfer-encoding:\r\n chunked", "content-length: LENGTH"),
    "an underscore": ("transfer_encoding: chunked", "content-length: LENGTH"),
    "a bare line feed before": ("x-a: b\ntransfer-encoding: chunked", "content-length: LENGTH"),
    "empty": ("transfer-encoding:", "content-length: LENGTH"),
}

SIZES = {
    "a leading zero": {"size": "000{:x}"},
    "many leading zeros": {"size": "0" * 40 + "{:x}"},
    "an extension": {"size": "{:x};a=b"},
    "an extension with a line feed": {"size": "{:x};a\nb"},
    "a plus": {"size": "+{:x}"},
    "a 0x": {"size": "0x{:x}"},
    "a blank behind": {"size": "{:x} "},
    "a blank before": {"size": " {:x}"},
    "an underscore": {"size": "0_{:x}"},
    "overflow": {"size": "10000000000000{:x}"},
    "negative": {"size": "-{:x}"},
    "line feeds only": {"cut": "\n", "end": "0\n\n"},
    "a carriage return only": {"cut": "\r", "end": "0\r\r"},
    "a trailer": {"end": "0\r\nx-a: b\r\n\r\n"},
    "a trailer with a length": {"end": "0\r\ncontent-length: 4\r\n\r\n"},
    "no last line": {"end": "0\r\n"},
    "no last chunk": {"end": ""},
    "HTTP/1.0": {"version": "HTTP/1.0"},
}


@check
def lengths_are_read_one_way():
    for name, lines in LENGTHS.items():
        one(name, with_length(*lines))


@check
def transfer_codings_are_read_one_way():
    for name, lines in CODINGS.items():
        one(name, with_chunks(*lines))


@check
def a_length_beside_a_coding_is_read_one_way():
    for name, lines in CODINGS.items():
        if any("content-length" in line for line in lines):
            continue
        one(f"{name}, after a length", with_chunks("content-length: 4", *lines))
        one(f"{name}, before a length", with_chunks(*lines, "content-length: 4"))
        one(f"{name}, before the whole length", with_chunks(*lines, "content-length: LENGTH"))


@check
def chunk_sizes_are_read_one_way():
    for name, how in SIZES.items():
        one(name, with_chunks("transfer-encoding: chunked", **how))


@check
def versions_are_read_one_way():
    for version in ("HTTP/0.9", "HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "HTTP/1.1 ", "http/1.1", "HTTP/1,1", "", "HTTP/01.1"):
        body = chat("open")

        def build(mark, version=version, body=body):
            return head(f"content-length: {len(body)}", version=version) + body + hidden(mark)

        one(f"version {version!r}", build)


@check
def two_requests_in_one_write_are_two_answers_in_order():
    first, second = chat("first of two"), chat("second of two")
    raw = head(f"content-length: {len(first)}") + first + head(f"content-length: {len(second)}", "connection: close") + second
    reply = exchange(raw, 10)
    same(answers(reply), 2)
    assert reply.index(b"first of two") < reply.index(b"second of two")


if __name__ == "__main__":
    main()
