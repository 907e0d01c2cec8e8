"""What the sandbox's pictures say: each is a PNG whose first row is a card, described in docs/sandbox.md."""
import struct
import zlib


def picture(data: bytes) -> dict:
    """Size, seed, index and description of a picture of the sandbox; fails on anything that does not decode."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n", data[:60]
    at, pixels, found = 8, b"", {}
    while at < len(data):
        (size,), kind = struct.unpack(">I", data[at : at + 4]), data[at + 4 : at + 8]
        inside = data[at + 8 : at + 8 + size]
        assert struct.unpack(">I", data[at + 8 + size : at + 12 + size])[0] == zlib.crc32(kind + inside), kind
        if kind == b"IHDR":
            found["size"] = struct.unpack(">II", inside[:8])
        elif kind == b"tEXt":
            found["description"] = inside.split(b"\0", 1)[1].decode()
        elif kind == b"IDAT":
            pixels += inside
        at += 12 + size
    rows = zlib.decompress(pixels)
    width, height = found["size"]
    assert len(rows) == height * (width + 1), (len(rows), found)
    if width >= 32:
        found["seed"], found["index"], *inner, found["sketch"] = struct.unpack(">QIIII", rows[9:33])
        assert tuple(inner) == found["size"], (inner, found)
    return found


def plain_picture(width=48, height=32, grey=128) -> bytes:
    """A picture of one colour, to be edited."""

    def chunk(kind: bytes, inside: bytes) -> bytes:
        return struct.pack(">I", len(inside)) + kind + inside + struct.pack(">I", zlib.crc32(kind + inside))

    rows = (b"\0" + bytes([grey]) * width) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
