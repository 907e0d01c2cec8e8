"""Tables, the chart and docs/performance.md out of a run's results: the page is written here and nowhere else."""
import datetime
import os
import pathlib
import platform
import re
import statistics
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
PAGE = ROOT / "docs" / "performance.md"
CHART = ROOT / "docs" / "performance.svg"
REF = "nginx"

CHATS = ["chat_0.5k", "chat_10k", "chat_100k", "chat_10k_last", "chat_100k_last", "chat_10k_code", "chat_100k_code", "embed"]
CROWDS = [1, 100, 1_000, 10_000]
# What is compared with nginx, and what the chart shows.
KEYS = [f"cpu {c}" for c in CHATS] + ["cpu/chunk paced", "cpu/chunk burst", "KiB/stream", "idle RSS MiB"]
# What is aimed at, as a ratio to nginx in the same run: routing only, and with everything on.
RATIOS = [
    ("chat 0.5 KB", "cpu chat_0.5k", 1.1, 1.4),
    ("chat 10 KB", "cpu chat_10k", 1.0, 1.25),
    ("chat 100 KB", "cpu chat_100k", 0.65, 0.75),
    ("chat 100 KB, `model` last", "cpu chat_100k_last", 0.65, 0.75),
    ("chat 100 KB, source code and JSON in JSON", "cpu chat_100k_code", 0.65, 0.75),
    ("embeddings, 20 KB answer", "cpu embed", 0.6, 0.8),
    ("stream, per paced chunk", "cpu/chunk paced", 1.0, 1.1),
    ("stream, per burst chunk", "cpu/chunk burst", 1.3, 1.5),
    ("KiB per held stream", "KiB/stream", 1.2, 1.3),
    ("latency p50 at 100 requests/s", "p50 @100", 1.2, None),
    ("latency p99 at 100 requests/s", "p99 @100", 1.2, None),
    ("latency p50 at 500 requests/s", "p50 @500", 1.2, None),
    ("latency p99 at 500 requests/s", "p99 @500", 1.2, None),
]
# The same as plain figures.
FIGURES = [("idle memory, MiB", "idle RSS MiB", 20, 25), ("start to the first good answer, ms", "start ms", 60, 100)]
# Ironbow against itself: what, dividend, divisor, aim.
SELF = [
    ("Anthropic's Messages, per call, to chat passed through", "cpu messages", "cpu chat_0.5k", 3.0),
    ("OpenAI's Responses, per call, to chat passed through", "cpu responses", "cpu chat_0.5k", 3.0),
    ("Anthropic's Messages, per burst chunk", "cpu/chunk messages", "cpu/chunk burst", 3.0),
    ("OpenAI's Responses, per burst chunk", "cpu/chunk responses", "cpu/chunk burst", 3.0),
    ("10,000 connections to 100", "cpu crowd_10000", "cpu crowd_100", 1.2),
]

# ---------------------------------------------------------------- figures


def med(runs: list, *path):
    """The median of a figure over the rounds that have it."""
    found = []
    for run in runs:
        for key in path:
            run = run.get(key) if isinstance(run, dict) else None
        if isinstance(run, (int, float)):
            found.append(run)
    return statistics.median(found) if found else None


class Ratios:
    """Ratios within a round, their median over the rounds: two figures of one round were taken seconds apart, and what slows
    the machine for a while slows both."""

    def __init__(self, data: dict):
        direct = {run.get("round"): run for run in data["runs"].get("direct", [])}
        self.rounds = {}
        for name, runs in data["runs"].items():
            self.rounds[name] = {
                run.get("round", at): figures([run], [direct[run.get("round")]] if run.get("round") in direct else [], data["rates"])
                for at, run in enumerate(runs)
            }

    def of(self, name: str, key: str, other: str, under: str):
        mine, theirs = self.rounds.get(name, {}), self.rounds.get(other, {})
        pairs = [(mine[n].get(key), theirs[n].get(under)) for n in mine if n in theirs]
        found = [a / b for a, b in pairs if a is not None and b is not None and b > 0]
        return statistics.median(found) if found else None


def less(a, b):
    return None if a is None or b is None else a - b


def figures(runs: list, direct: list, rates: list) -> dict:
    """The figures of one gateway, medians over its rounds."""
    f = {f"cpu {k}": med(runs, k, "cpu_us") for k in [*CHATS, "messages", "responses", *(f"crowd_{n}" for n in CROWDS)]}
    f |= {
        "cpu sse_paced": med(runs, "sse_paced", "cpu_us"),
        "cpu/chunk paced": med(runs, "sse_paced", "cpu_us_per_chunk"),
        "cpu/chunk burst": med(runs, "sse_burst", "cpu_us_per_chunk"),
        "cpu/chunk messages": med(runs, "messages_burst", "cpu_us_per_chunk"),
        "cpu/chunk responses": med(runs, "responses_burst", "cpu_us_per_chunk"),
        "rps chat_0.5k": med(runs, "chat_0.5k", "rps"),
        "rps chat_100k": med(runs, "chat_100k", "rps"),
        "rps embed": med(runs, "embed", "rps"),
        "core share": med(runs, "chat_0.5k", "core_share"),
        "kernel share": med(runs, "chat_0.5k", "kernel_share"),
    }
    for rate in rates:
        f[f"cpu open_{rate}"] = med(runs, f"open_{rate}", "cpu_us")
        for q in ("p50", "p99"):
            f[f"{q} @{rate}"] = med(runs, f"open_{rate}", "lat_us", q)
            f[f"add {q} @{rate}"] = less(f[f"{q} @{rate}"], med(direct, f"open_{rate}", "lat_us", q))
    f["add first token"] = less(med(runs, "sse_paced", "ttfb_us", "p50"), med(direct, "sse_paced", "ttfb_us", "p50"))
    for q in ("p50", "p99"):
        f[f"add {q}/chunk"] = less(med(runs, "sse_paced", "chunk_us", q), med(direct, "sse_paced", "chunk_us", q))
    f["KiB/stream"] = med(runs, "hold", "kib_per_stream")
    f["idle RSS MiB"] = (med(runs, "idle_rss_kib") or 0) / 1024 or None
    f["peak RSS MiB"] = (med(runs, "peak_rss_kib") or 0) / 1024 or None
    f["start ms"] = med(runs, "startup_ms")
    f["upstream conns"] = med(runs, "chat_0.5k", "upstream_conns")
    f["bad"] = sum(r[k].get("bad", 0) for r in runs for k in r if isinstance(r[k], dict))
    streams = [r[k] for r in runs for k in ("sse_paced", "sse_burst") if k in r]
    lost = sum(s["ok"] - s["done_seen"] for s in streams)
    f["streams without [DONE]"] = lost / max(sum(s["ok"] for s in streams), 1) * 100 if streams else None
    f["burst p50 ms"] = (med(runs, "sse_burst", "lat_us", "p50") or 0) / 1000 or None
    return f


# ---------------------------------------------------------------- tables


def fmt(x, digits=1) -> str:
    if x is None:
        return "–"
    return f"{x:,.0f}" if abs(x) >= 1000 or digits == 0 else f"{x:,.{digits}f}"


def times(x) -> str:
    return "–" if x is None else f"{x:.2f}×"


def table(head: list, rows: list) -> str:
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *("| " + " | ".join(r) + " |" for r in rows)]) + "\n"


def tables(data: dict, focus: str) -> tuple:
    """All figures by gateway, and all tables as text."""
    rates = data["rates"]
    direct = data["runs"].get("direct", [])
    names = [n for n in data["runs"] if n != "direct" and data["runs"][n]]
    found = {n: figures(data["runs"][n], direct, rates) for n in names}
    label = {n: data["labels"].get(n, n) for n in names}
    ratios = Ratios(data)
    text = []

    def block(title: str, columns: list, digits=1):
        shown = [c for c in columns if any(found[n].get(c) is not None for n in names)]
        if shown:
            rows = [[label[n], *(fmt(found[n].get(c), digits) for c in shown)] for n in names]
            text.append(f"**{title}**\n\n" + table(["gateway", *shown], rows))

    block("CPU per request (µs)", [f"cpu {c}" for c in CHATS])
    block("CPU per request at a rate, with other dialects, and with so many connections (µs)",
          [f"cpu open_{r}" for r in rates] + ["cpu messages", "cpu responses"] + [f"cpu crowd_{n}" for n in CROWDS])
    block("Streams (CPU and delays in µs)",
          ["cpu/chunk paced", "cpu/chunk burst", "cpu/chunk messages", "cpu/chunk responses", "add first token", "add p50/chunk",
           "add p99/chunk", "burst p50 ms", "KiB/stream", "streams without [DONE]"], 2)
    block("Throughput, and latency added to asking the upstream itself (µs)",
          ["rps chat_0.5k", "core share", "kernel share", "rps chat_100k", "rps embed"] + [f"add {q} @{r}" for r in rates for q in ("p50", "p99")], 2)
    block("Memory, start", ["idle RSS MiB", "peak RSS MiB", "start ms", "upstream conns", "bad"])
    if REF in found:
        rows = [[label[n], *(times(ratios.of(n, k, REF, k)) for k in KEYS)] for n in names]
        text.append(f"**Ratio to {REF}** (above 1: dearer than {REF})\n\n" + table(["gateway", *KEYS], rows))
    if focus in found:
        rows = [[label[n], *(times(ratios.of(n, k, focus, k)) for k in KEYS)] for n in names if n != focus]
        text.append(f"**{label[focus]} against each peer** (peer ÷ {label[focus]}; above 1: {label[focus]} is cheaper)\n\n" + table(["peer", *KEYS], rows))
    return found, "\n".join(text)


def targets(data: dict, found: dict, focus: str) -> str:
    """What is aimed at beside what this run gave; a miss stays."""
    ratios = Ratios(data)
    plain, full = found.get(focus, {}), found.get(f"{focus}-full", {})

    def verdict(value, aim, text) -> str:
        return "–" if value is None or aim is None else f"{text} {'✓' if value <= aim else '**missed**'}"

    rows = []
    for title, key, aim, aim_full in RATIOS:
        a, b = ratios.of(focus, key, REF, key), ratios.of(f"{focus}-full", key, REF, key)
        rows.append([title, f"≤ {aim}×", verdict(a, aim, times(a)), f"≤ {aim_full}×" if aim_full else "–", verdict(b, aim_full, times(b))])
    for title, key, aim, aim_full in FIGURES:
        a, b = plain.get(key), full.get(key)
        rows.append([title, f"≤ {aim}", verdict(a, aim, fmt(a)), f"≤ {aim_full}", verdict(b, aim_full, fmt(b))])
    for title, over, under, aim in SELF:
        a = ratios.of(focus, over, focus, under)
        rows.append([title, f"≤ {aim}×", verdict(a, aim, times(a)), "–", "–"])
    two = ratios.of(f"{focus}-2w", "cpu chat_0.5k", focus, "cpu chat_0.5k")
    rows.append(["two workers to one, CPU per call", "≤ 1.1×", verdict(two, 1.1, times(two)), "–", "–"])
    head = ["to nginx in the same run, or as it says", "aimed at", "this run", "aimed at with everything on", "this run: access log, metrics, adaptive routing"]
    return table(head, rows)


# ---------------------------------------------------------------- the page


def said(command: list, pattern: str) -> str:
    """What a program says of its version."""
    try:
        out = subprocess.run(command, capture_output=True, text=True, timeout=20, cwd=ROOT)
    except (OSError, subprocess.TimeoutExpired):
        return "?"
    hit = re.search(pattern, out.stdout + out.stderr)
    return hit.group(1) if hit else "?"


def facts() -> dict:
    """What was measured, and on what."""
    cpu = re.search(r"model name\s*: (.+)", pathlib.Path("/proc/cpuinfo").read_text())
    changed = subprocess.run(["git", "status", "--porcelain", "--untracked-files=no"], capture_output=True, text=True, cwd=ROOT).stdout.strip()
    return {
        "date": datetime.date.today().isoformat(),
        "commit": said(["git", "rev-parse", "--short=10", "HEAD"], r"(\w+)") + (" with changes" if changed else ""),
        "nginx": said(["nginx", "-v"], r"nginx/([\d.]+)"),
        "haproxy": said(["haproxy", "-v"], r"version ([\d.]+)"),
        "rust": said(["rustc", "--version"], r"rustc ([\d.]+)"),
        "kernel": platform.release().split("-")[0],
        "cpu": cpu.group(1) if cpu else platform.machine(),
        "cores": os.cpu_count(),
        "profile": os.environ.get("BENCH_PROFILE", "dist"),
    }


def caveats(data: dict) -> list:
    """What the reader must know about this very run."""
    loads = [r["load"] for runs in data["runs"].values() for r in runs if "load" in r]
    told = []
    if loads and max(loads) > 2.2 or data["load_before"][0] > 0.5:
        told.append(f"**Other work ran on the machine**: load average {data['load_before'][0]:.1f} before, {min(loads, default=0):.1f} to {max(loads, default=0):.1f} meanwhile, where an undisturbed run has about 1.5.")
    if data["rounds"] < 3:
        told.append(f"{data['rounds']} round(s): differences below a sixth mean nothing.")
    bad = {n: sum(r[k].get("bad", 0) for r in runs for k in r if isinstance(r[k], dict)) for n, runs in data["runs"].items()}
    if any(bad.values()):
        told.append("Answers that were not good, never averaged away: " + ", ".join(f"{n} {b}" for n, b in bad.items() if b) + ".")
    crowd = data["facts"].get("crowd", 10_000)
    if crowd < 10_000:
        told.append(f"The largest crowd is one of {crowd:,} connections: the system lets no more files be open.")
    told.append("Everything is on loopback of one machine; absolute figures differ by machine. Compare ratios within this run only.")
    told.append("The load generator has the other core: where `core share` is below 1 it was the limit, and CPU per request is the better figure.")
    return told


def page(data: dict, focus: str) -> None:
    """Writes docs/performance.md and its chart."""
    found, text = tables(data, focus)
    f = data["facts"]
    chart(data, found)
    parts = [
        "# Performance\n",
        "<!-- Written by `bench/run --page`. Do not edit: change bench/report.py and run it again. -->\n",
        "What it costs to have Ironbow in the way, beside nginx as a plain reverse proxy, haproxy, and the least that a proxy can do that rewrites `model`."
        " Run it yourself with one command: see [bench/README.md](../bench/README.md). What made calls cheaper, and what was tried in vain, is in [decision 0005](decisions/0005-hot-path.md).\n",
        "Each scenario goes through the whole gateway as it is published: the model's name is parsed, the Hub's mapping applied, the key replaced, the body checked and spliced, the answer"
        " checked, usage read, metrics counted. `Ironbow` has no access log, as the others have none; `Ironbow, everything on` has it, and routes by what it has seen. No virtual keys, no budgets: they are not there yet.\n",
        table(["", ""], [
            ["date", f["date"]],
            ["Ironbow", f"commit {f['commit']}, profile `{f['profile']}`"],
            ["versions", f"nginx {f['nginx']}, haproxy {f['haproxy']}, Rust {f['rust']}, Linux {f['kernel']}"],
            ["machine", f"{f['cores']} cores of {f['cpu']}; the gateway on one, load and upstream on another"],
            ["method", f"{data['rounds']} rounds, in each every scenario with one gateway after the other, {data['seconds']:g} s each; crowds and held streams (in {data['hold_rounds']}) with each gateway alone; medians of figures, and of ratios within a round; TCP with {f.get('tcp', 'what the machine has')}. CPU is of the gateway's whole process tree, the kernel's work for it included"],
        ]),
        "**Read with care.** " + " ".join(caveats(data)) + "\n",
        "![CPU and memory as a ratio to nginx](performance.svg)\n",
        "## Against what is aimed at\n",
        targets(data, found, focus),
        "## All figures\n",
        text,
    ]
    PAGE.write_text("\n".join(parts))


COLOURS = ["#8a8f98", "#c2c6cc", "#d9b44a", "#e2d3a0", "#3b6ea8", "#7fa7d1", "#a9c4de", "#555a61"]


def chart(data: dict, found: dict) -> None:
    """Bars of each figure's ratio to nginx, a group for each figure."""
    labels, ratios = data["labels"], Ratios(data)
    ref = found.get(REF)
    names = [n for n in found if n != REF]
    if not ref or not names:
        return
    keys = [k for k in KEYS if ref.get(k)]
    bar, gap, left, top, height, most = 9, 18, 46, 50, 220, 3.0
    group = bar * len(names) + gap
    width = left + group * len(keys) + 20
    total = top + height + 90 + 14 * ((len(names) + 3) // 4)
    y = lambda r: top + height - min(r, most) / most * height  # noqa: E731
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {total}" font-family="sans-serif" font-size="10">',
        f'<rect width="{width}" height="{total}" fill="#fff"/>',
        f'<text x="{left}" y="20" font-size="14" fill="#222">Cost as a ratio to {REF} (1 = {REF}; lower is cheaper; cut off at {most:g})</text>',
    ]
    for r in (0, 0.5, 1, 1.5, 2, 2.5, 3):
        out.append(f'<line x1="{left}" x2="{width - 10}" y1="{y(r):.1f}" y2="{y(r):.1f}" stroke="{"#c33" if r == 1 else "#ddd"}"/>')
        out.append(f'<text x="{left - 6}" y="{y(r) + 3:.1f}" text-anchor="end" fill="#555">{r:g}×</text>')
    for g, key in enumerate(keys):
        x = left + gap / 2 + g * group
        for i, name in enumerate(names):
            r = ratios.of(name, key, REF, key)
            if r is not None:
                title = f"{labels.get(name, name)}: {key} {r:.2f}×"
                out.append(f'<rect x="{x + i * bar:.1f}" y="{y(r):.1f}" width="{bar - 1}" height="{top + height - y(r):.1f}" fill="{COLOURS[i % len(COLOURS)]}"><title>{title}</title></rect>')
        middle = x + (group - gap) / 2
        out.append(f'<text transform="translate({middle:.1f},{top + height + 12}) rotate(35)" fill="#333">{key.removeprefix("cpu ")}</text>')
    for i, name in enumerate(names):
        x, line = left + (i % 4) * 190, top + height + 82 + 14 * (i // 4)
        out.append(f'<rect x="{x}" y="{line - 8}" width="9" height="9" fill="{COLOURS[i % len(COLOURS)]}"/><text x="{x + 13}" y="{line}" fill="#333">{labels.get(name, name)}</text>')
    CHART.write_text("\n".join([*out, "</svg>", ""]))
