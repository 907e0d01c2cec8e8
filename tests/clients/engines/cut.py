"""Stands before an engine and breaks its streams: `cut.py PORT ENGINE_PORT FRAMES`. A stream ends after so many events; all else passes."""
import signal
import socket
import sys
import threading

port, engine, frames = (int(argument) for argument in sys.argv[1:])


def passes(source: socket.socket, to: socket.socket, breaks: bool) -> None:
    seen, text = 0, b""
    while piece := source.recv(65536):
        if breaks:
            text += piece
            seen = text.count(b"data: ")
        to.sendall(piece)
        if seen >= frames:
            break
    for end in (source, to):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # It has ended already.


def serve(caller: socket.socket) -> None:
    with caller, socket.create_connection(("127.0.0.1", engine)) as other:
        up = threading.Thread(target=passes, args=(caller, other, False))
        up.start()
        passes(other, caller, True)
        up.join()


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
with socket.create_server(("127.0.0.1", port)) as listener:
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
