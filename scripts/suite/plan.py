"""The table of checks: what runs, in which order, what may be skipped, and what only `--all` runs."""
from . import budget, checks, fronts, real, soak, uploads
from .checks import IN_CI, Check, node_client, python_client, sandbox_node, sandbox_python

CHECKS = [
    Check("format", checks.formatting),
    Check("lints", checks.lints),
    Check("cargo test", checks.workspace),
    Check("documentation", checks.documentation),
    Check("release build", checks.release_build),
    Check("bench compiles", checks.bench_builds),
    Check("sandbox: huggingface_hub", sandbox_python("huggingface_hub_check.py")),
    Check("sandbox: @huggingface/inference", sandbox_node("huggingface_inference_check.mjs")),
    Check("client: openai (Python), chat", python_client("openai_chat.py")),
    Check("client: openai (Python), embeddings", python_client("openai_embeddings.py")),
    Check("client: openai (Python), sound", python_client("openai_audio.py")),
    Check("client: openai (Python), pictures and models", python_client("openai_images.py")),
    Check("client: openai (Node), chat", node_client("openai_chat.mjs")),
    Check("client: openai (Node), all else", node_client("openai_media.mjs")),
    Check("client: huggingface_hub through the gateway", python_client("hub_through_gateway.py")),
    Check("uploads of every kind", uploads.of_every_kind),
    Check("real engines: embeddings, speech, transcription", real.sound_and_meaning),
    Check("framing: direct", fronts.behind("direct")),
    Check("framing: behind nginx", fronts.behind("nginx"), required=IN_CI),
    Check("framing: behind haproxy", fronts.behind("haproxy"), required=IN_CI),
    Check("framing: behind caddy", fronts.behind("caddy"), required=IN_CI),
    Check("framing: behind traefik", fronts.behind("traefik"), required=IN_CI),
    # Debian's promtool cannot be had everywhere; where this project is checked before a merge, it must be.
    Check("promtool", checks.metrics, required=IN_CI),
    Check("start and idle memory", budget.start_and_idle_memory, required=IN_CI),
    Check("soak, 15 seconds", soak.soak(15), required=IN_CI),
    Check("fuzzing", checks.fuzzing, long=True),
    Check("real engine: chat", real.chat, required=False, long=True),
    Check("benchmark, a look", checks.bench_look, required=False, long=True),
    Check("soak, 30 minutes", soak.soak(1800), required=False, long=True),
]
