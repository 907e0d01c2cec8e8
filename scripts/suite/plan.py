"""The table of checks: what runs, in which order, what may be skipped, and what only `--all` runs."""
from . import checks
from .checks import IN_CI, Check, node_client, python_client

CHECKS = [
    Check("format", checks.formatting),
    Check("lints", checks.lints),
    Check("cargo test", checks.workspace),
    Check("documentation", checks.documentation),
    Check("release build", checks.release_build),
    Check("bench compiles", checks.bench_builds),
    Check("client: openai (Python)", python_client("openai_chat.py")),
    Check("client: openai (Node)", node_client("openai_chat.mjs")),
    Check("client: huggingface_hub through the gateway", python_client("hub_through_gateway.py")),
    # Debian's promtool cannot be had everywhere; where this project is checked before a merge, it must be.
    Check("promtool", checks.metrics, required=IN_CI),
]
