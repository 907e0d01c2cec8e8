#!/usr/bin/env python3
"""Measures gateways side by side: `measure.py nginx haproxy ironbow`; `run` beside it builds everything first.

For every round: start every gateway fresh, time the start-up, warm it up; then every
scenario with one gateway after the other, so that a moment in which the machine is
slow meets all of them; then each alone with crowds and with held streams. The CPU time
of a gateway's whole process tree is read from /proc. Medians over the rounds. See README.md.
"""
import argparse, contextlib, fcntl, http.client, json, os, pathlib, random, resource, shutil, signal, socket, struct, subprocess, sys, time, tomllib

import report

HERE = pathlib.Path(__file__).resolve().parent
TICK = os.sysconf("SC_CLK_TCK")
UP_PORT = 18000

FILES = 48_000

# ---------------------------------------------------------------- the place

def alone():
    """Goes on in a network of its own, where that is allowed: a machine's BBR paces even what never leaves it, and figures
    of large bodies then jump by a factor of three from one scenario to the next."""
    if "BENCH_ALONE" in os.environ:
        up = struct.pack("16sH14x", b"lo", 1)          # IFF_UP, by SIOCSIFFLAGS
        with socket.socket() as s: fcntl.ioctl(s, 0x8914, up)
        for here in ("127.0.0.0/8", "127.0.0.1") if shutil.which("ip") else ():
            subprocess.run(["ip", "route", "replace", "local", here, "dev", "lo", "table", "local", "proto", "kernel",
                            "scope", "host", "src", "127.0.0.1", "congctl", "cubic"], stderr=subprocess.DEVNULL)
        return
    apart = ["unshare", "--net"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
    if shutil.which("unshare") and subprocess.run([*apart, "true"], stderr=subprocess.DEVNULL).returncode == 0:
        os.execvpe(apart[0], [*apart, sys.executable, *sys.argv], os.environ | {"BENCH_ALONE": "1"})

def congestion():
    """The congestion control that connections on loopback get."""
    with socket.create_server(("127.0.0.1", 0)) as here, socket.create_connection(here.getsockname()) as there:
        return there.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0").decode()

def many_files():
    """As many open files as the largest crowd needs, where that is allowed."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(most, FILES), max(most, FILES)))
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

def largest(crowd):
    """So many connections, or as many as a gateway can hold twice, once for the caller and once upstream."""
    return min(crowd, (resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 1_500) // 2)

# ---------------------------------------------------------------- /proc

def tree(pid):
    """pid and all its living descendants."""
    kids = {}
    for d in os.listdir("/proc"):
        if d.isdigit():
            try:
                s = open(f"/proc/{d}/stat").read()
            except OSError:
                continue
            kids.setdefault(int(s.rsplit(")", 1)[1].split()[1]), []).append(int(d))
    out, todo = [], [pid]
    while todo:
        p = todo.pop()
        out.append(p)
        todo += kids.get(p, [])
    return out

def cpu_s(pids):
    """(seconds from utime+stime incl. reaped children, from per-thread schedstat, of it in the kernel)."""
    ticks = ns = kernel = 0
    for p in pids:
        try:
            f = open(f"/proc/{p}/stat").read().rsplit(")", 1)[1].split()
            ticks += sum(int(x) for x in f[11:15])
            kernel += int(f[12])
            for t in os.listdir(f"/proc/{p}/task"):
                ns += int(open(f"/proc/{p}/task/{t}/schedstat").read().split()[0])
        except OSError:
            pass
    return ticks / TICK, ns / 1e9, kernel / TICK

def mem_kib(pids):
    """(sum of RSS, sum of PSS, sum of peak RSS) in KiB."""
    rss = pss = hwm = 0
    for p in pids:
        try:
            for line in open(f"/proc/{p}/status"):
                if line.startswith("VmRSS:"): rss += int(line.split()[1])
                if line.startswith("VmHWM:"): hwm += int(line.split()[1])
            for line in open(f"/proc/{p}/smaps_rollup"):
                if line.startswith("Pss:"): pss += int(line.split()[1])
        except OSError:
            pass
    return rss, pss, hwm

def threads(pids):
    n = 0
    for p in pids:
        try: n += len(os.listdir(f"/proc/{p}/task"))
        except OSError: pass
    return n

def pin(cpus):
    lo, _, hi = str(cpus).partition("-")
    want = set(range(int(lo), int(hi or lo) + 1)) & set(range(os.cpu_count()))
    def f():
        if want: os.sched_setaffinity(0, want)
    return f

# ---------------------------------------------------------------- bodies

def text(n, rnd):
    words = "the model reads a long prompt and then it writes an answer about rivers, trains, \"quoted\" things and caf\u00e9s".split()
    out, size = [], 0
    while size < n:
        w = rnd.choice(words) + rnd.choice([" ", " ", " ", " ", " ", ".\n"])
        out.append(w); size += len(w)
    return "".join(out)[:n]

CODE = """def read(path: str) -> dict:
    \"\"\"Reads a file.\"\"\"
\twith open(path, "rb") as file:
        lines = [line.rstrip("\\n") for line in file if not line.startswith("#")]
    return {"path": path, "lines": lines, 'quoted': "C:\\\\temp"}

"""

def escapes(n, rnd):
    """Source code, and JSON that holds JSON: what agents send, half of it escapes."""
    call = {"id": "call_1", "function": {"name": "read", "arguments": json.dumps({"path": "C:\\temp\\a.txt", "text": CODE})}}
    unit = CODE + json.dumps(call) + "\n"
    return (unit * (n // len(unit) + 1))[:n]

def chat_body(model, size, stream=False, fill=text, model_last=False):
    """A chat request of about `size` bytes: a system prompt and turns of about 2 KB."""
    rnd = random.Random(7)
    b = {} if model_last else {"model": model}
    b |= {"messages": [{"role": "system", "content": "You are a helpful assistant."}],
          "temperature": 0.7, "max_tokens": 256, "user": "user-1234"}
    if stream:
        b["stream"] = True
        b["stream_options"] = {"include_usage": True}
    left, turn = size - len(json.dumps(b)) - 60, 0
    while left > 0:
        n = min(left, 2000)
        said = fill(max(n - 60, 1), rnd)
        if fill is not text:      # escapes make it longer on the way
            said = said[:max(n * n // len(json.dumps(said)), 1)]
        b["messages"].append({"role": ["user", "assistant"][turn % 2], "content": said})
        left -= len(json.dumps(said)) + 40 if fill is not text else n + 20
        turn += 1
    if b["messages"][-1]["role"] == "assistant":
        b["messages"][-1]["role"] = "user"
    if model_last:
        b["model"] = model
    return json.dumps(b).encode()

def messages_body(model, stream=False):
    """The same small call as Anthropic's SDK writes it."""
    b = {"model": model, "max_tokens": 256, "system": "You are a helpful assistant.", "temperature": 0.7,
         "messages": [{"role": "user", "content": text(320, random.Random(7))}]}
    return json.dumps(b | ({"stream": True} if stream else {})).encode()

def responses_body(model, stream=False):
    """The same small call to OpenAI's Responses."""
    b = {"model": model, "max_output_tokens": 256, "instructions": "You are a helpful assistant.", "temperature": 0.7,
         "store": False, "input": [{"role": "user", "content": text(320, random.Random(7))}]}
    return json.dumps(b | ({"stream": True} if stream else {})).encode()

# Calls with a closed loop: name, what makes the body. All are `POST chat_path`.
CHATS = [
    ("chat_0.5k", lambda m: chat_body(m, 500)),
    ("chat_10k", lambda m: chat_body(m, 10_000)),
    ("chat_100k", lambda m: chat_body(m, 100_000)),
    ("chat_10k_last", lambda m: chat_body(m, 10_000, model_last=True)),
    ("chat_100k_last", lambda m: chat_body(m, 100_000, model_last=True)),
    ("chat_10k_code", lambda m: chat_body(m, 10_000, fill=escapes)),
    ("chat_100k_code", lambda m: chat_body(m, 100_000, fill=escapes)),
]
# Calls in another dialect, for gateways whose file names the path.
DIALECTS = [("messages", messages_body), ("responses", responses_body)]
# How many connections at once: the cost of a call must not depend on it.
CROWDS = [1, 100, 1_000, 10_000]

# ---------------------------------------------------------------- pieces

class Bench:
    def __init__(self, a):
        self.a = a
        self.bin = pathlib.Path(os.environ.get("BENCH_BIN", HERE / "target" / "release"))
        self.out = pathlib.Path(a.out).resolve(); (self.out / "work").mkdir(parents=True, exist_ok=True)
        self.upstream = None

    def start_upstream(self):
        self.uplog = open(self.out / "upstream.log", "w")
        self.upstream = subprocess.Popen([self.bin / "upstream", "--port", str(UP_PORT)], preexec_fn=pin("0"),
                                         stdout=self.uplog, stderr=self.uplog)
        for _ in range(200):
            try: self.ctl(); return
            except OSError: time.sleep(0.02)
        sys.exit("upstream did not start")

    def get(self, path):
        c = http.client.HTTPConnection("127.0.0.1", UP_PORT, timeout=5)
        c.request("GET", path); r = c.getresponse().read(); c.close()
        return json.loads(r)

    def ctl(self, **kw):
        d = dict(latency_us=0, bytes=600, chunks=100, gap_us=0, dims=1536); d.update(kw)
        self.get("/_ctl?" + "&".join(f"{k}={v}" for k, v in d.items()))

    def load(self, gw, body, path, wait=True, **kw):
        cmd = [str(self.bin / "loadgen"), "--addr", f"127.0.0.1:{gw['port']}", "--path", path, "--body", str(body)]
        for h in gw.get("headers", []): cmd += ["--header", h]
        for k, v in kw.items():
            cmd += [f"--{k.replace('_', '-')}"] + ([] if v is True else [str(v)])
        p = subprocess.Popen(cmd, stdout=subprocess.PIPE, preexec_fn=pin("0"), text=True)
        return p if not wait else self.reap(p)

    def reap(self, p):
        out = p.communicate(timeout=150)[0]
        return json.loads(out)

# ---------------------------------------------------------------- a gateway

def load_gateway(name):
    d = HERE / "gateways" / name
    gw = tomllib.loads((d / "gateway.toml").read_text())
    gw["name"] = name; gw["dir"] = d
    return gw

def start_gateway(b, gw):
    """Renders the files of the gateway's folder, starts it, waits for a good answer."""
    if "start" not in gw:            # "direct": no gateway at all
        gw["port"] = UP_PORT
        return None, 0.0
    with socket.socket() as s:
        s.settimeout(0.3)
        if s.connect_ex(("127.0.0.1", gw["port"])) == 0:
            sys.exit(f"{gw['name']}: something already listens on port {gw['port']}")
    gw.setdefault("own_port", gw["port"])
    gw["port"] = gw["own_port"]
    work = b.out / "work" / gw["name"]
    shutil.rmtree(work, ignore_errors=True); work.mkdir(parents=True)
    sub = {"{{PORT}}": str(gw["port"]), "{{UPSTREAM}}": f"127.0.0.1:{UP_PORT}", "{{UPSTREAM_PORT}}": str(UP_PORT), "{{WORK}}": str(work)}
    def fill(s):
        for k, v in sub.items(): s = s.replace(k, v)
        return os.path.expandvars(s)
    gw["headers"] = [fill(h) for h in gw.get("headers", [])]
    for f in gw["dir"].iterdir():
        if f.name != "gateway.toml": (work / f.name).write_text(fill(f.read_text()))
    env = dict(os.environ, **{k: fill(v) for k, v in gw.get("env", {}).items()})
    log = open(work / "log.txt", "w") if gw.get("keep_log") else open(os.devnull, "w")
    err = open(work / "stderr.txt", "w")
    for step in gw.get("before", []):
        subprocess.run([fill(x) for x in step], cwd=work, env=env, check=True, stdout=log, stderr=err, timeout=60)
    t0 = time.monotonic()
    p = subprocess.Popen([fill(x) for x in gw["start"]], cwd=work, env=env, stdout=log, stderr=err, stdin=subprocess.DEVNULL,
                         preexec_fn=lambda: (os.setsid(), pin(gw.get("cpus", "1"))()))
    gw["helper"] = None
    if "front" in gw:                # e.g. what speaks TLS on the load generator's behalf: not part of what is measured
        gw["helper"] = subprocess.Popen([fill(x) for x in gw["front"]], cwd=work, env=env, stdout=log, stderr=err, stdin=subprocess.DEVNULL,
                                        preexec_fn=lambda: (os.setsid(), pin("0")()))
        gw["port"] = gw["front_port"]
    body = chat_body(gw["model"], 500)
    hdr = dict(h.split(": ", 1) for h in gw.get("headers", [])) | {"content-type": "application/json"}
    last = "no connection"
    while time.monotonic() - t0 < gw.get("start_timeout_s", 90):
        if p.poll() is not None:
            sys.exit(f"{gw['name']} ended at start with {p.returncode}; see {err.name}")
        try:
            c = http.client.HTTPConnection("127.0.0.1", gw["port"], timeout=10)
            c.request("POST", gw.get("chat_path", "/v1/chat/completions"), body, hdr)
            r = c.getresponse(); data = r.read(); c.close()
            if r.status == 200 and b"choices" in data:
                return p, (time.monotonic() - t0) * 1000
            last = f"{r.status} {data[:300]!r}"
        except (OSError, http.client.HTTPException) as e:
            last = repr(e)
        time.sleep(0.002)
    stop_gateway(p)
    stop_gateway(gw["helper"])
    sys.exit(f"{gw['name']} gave no good answer in time: {last}")

def stop_gateway(p):
    if p is None or p.poll() is not None: return
    pids = tree(p.pid)
    p.send_signal(signal.SIGTERM)
    try: p.wait(4)
    except subprocess.TimeoutExpired: pass
    for q in pids:
        try: os.kill(q, signal.SIGKILL)
        except OSError: pass
    p.wait()

# ---------------------------------------------------------------- scenarios

class Run:
    """One gateway in one round."""

    def __init__(self, b, gw):
        self.b, self.gw = b, gw
        self.process, startup = start_gateway(b, gw)
        self.res = {"startup_ms": round(startup, 1)}
        self.peak = 0
        self.chat = gw.get("chat_path", "/v1/chat/completions")
        self.skip = gw.get("skip", [])

    def pids(self):
        return tree(self.process.pid) if self.process else []

    def body(self, key, data):
        f = self.b.out / "work" / f"body-{self.gw['name']}-{key}.json"
        f.write_bytes(data)
        return f

    def warm(self, seconds):
        self.b.ctl()
        self.b.load(self.gw, self.body("chat_0.5k", chat_body(self.gw["model"], 500)), self.chat, mode="closed", conns=8, duration=seconds)

    def begin(self):
        time.sleep(1.0 if self.process else 0)
        if self.process:
            self.res["idle_rss_kib"], self.res["idle_pss_kib"], _ = mem_kib(self.pids())
            self.res["threads"], self.res["processes"] = threads(self.pids()), len(self.pids())
        self.warm(self.gw.get("warmup_s", 1))

    def wants(self, key):
        return (not self.b.a.only or key in self.b.a.only) and key not in self.skip

    def measure(self, key, path, data, **kw):
        b, ps, others = self.b, self.pids(), [self.b.upstream.pid]
        f = self.body(key, data)
        c0, u0, t0 = cpu_s(ps), cpu_s(others), time.monotonic()
        b.get("/_stats?reset=1")
        r = b.load(self.gw, f, path, **kw)
        time.sleep(0.05)
        c1, u1, wall = cpu_s(ps), cpu_s(others), time.monotonic() - t0
        st = b.get("/_stats")
        # a request counts as one when it was answered well; failures are reported beside it
        n = max(r["ok"], 1)
        r["cpu_us"] = (c1[1] - c0[1]) / n * 1e6
        r["cpu_us_ticks"] = (c1[0] - c0[0]) / n * 1e6
        r["kernel_share"] = (c1[2] - c0[2]) / max(c1[0] - c0[0], 1e-9)
        r["core_share"] = (c1[1] - c0[1]) / r["secs"]
        r["upstream_cpu_us"] = (u1[1] - u0[1]) / n * 1e6
        r["upstream_conns"] = st["conns"]
        r["upstream_requests"] = st["chat"] + st["stream"] + st["embed"]
        r["bad"] = r["non2xx"] + r["errors"]
        self.res[key] = r

    def afresh(self):
        """Starts again: what was asked before would be counted with what comes."""
        self.end()
        self.process, _ = start_gateway(self.b, self.gw)
        self.warm(1)

    def crowds(self):
        for n in CROWDS:
            if self.wants(f"crowd_{n}"):
                self.measure(f"crowd_{n}", self.chat, chat_body(self.gw["model"], 500), mode="closed", conns=largest(n), duration=self.b.a.seconds + n / 5_000)

    def hold(self):
        b, n = self.b, self.gw.get("hold_conns", 2000)
        b.ctl(gap_us=500_000, chunks=1000)
        time.sleep(0.5)
        before = mem_kib(self.pids()); c0 = cpu_s(self.pids())
        sse = self.body("sse", chat_body(self.gw["model"], 500, True))
        lg = b.load(self.gw, sse, self.chat, wait=False, mode="hold", stream=True, conns=n, ramp=self.gw.get("hold_ramp", 1000), duration=self.gw.get("hold_s", 10))
        samples = []
        t0 = time.monotonic()
        while lg.poll() is None and time.monotonic() - t0 < 60:
            time.sleep(0.25)
            if lg.poll() is None: samples.append(mem_kib(self.pids())[1])
        r = b.reap(lg)
        c1 = cpu_s(self.pids())
        r["kib_per_stream"] = (max(samples) - before[1]) / max(r["unfinished"], 1) if samples else None
        r["pss_before"], r["pss_peak"] = before[1], max(samples or [0])
        r["cpu_us_per_chunk"] = (c1[1] - c0[1]) * 1e6 / max(r["events"], 1)
        self.res["hold"] = r
        b.ctl()
        time.sleep(1.0)

    def end(self):
        """Stops it; notes the most memory that it had."""
        if self.process is not None and self.process.poll() is None:
            self.peak = max(self.peak, mem_kib(self.pids())[2])
        stop_gateway(self.process)
        stop_gateway(self.gw.get("helper"))

    def result(self):
        res = self.res
        for k, whole in (("sse_paced", "chat_0.5k"), ("sse_burst", "chat_0.5k"), ("messages_burst", "messages"), ("responses_burst", "responses")):
            base = res.get(whole, {}).get("cpu_us")
            if k in res and base is not None and res[k]["events"]:
                res[k]["cpu_us_per_chunk"] = (res[k]["cpu_us"] - base) * res[k]["ok"] / res[k]["events"]
        if self.process: res["peak_rss_kib"] = self.peak
        return res | {"load": os.getloadavg()[0]}

def scenarios(a):
    """What all gateways are measured with side by side: a name, how the upstream is to behave, and what is sent: the path,
    the body and the load for a gateway, or nothing where it has no such thing."""
    D, quick = a.seconds, {}
    closed = lambda gw: dict(mode="closed", conns=gw.get("conns", 16), duration=D)  # noqa: E731
    chat = lambda gw: gw.get("chat_path", "/v1/chat/completions")  # noqa: E731
    for key, make in CHATS:
        yield key, quick, lambda gw, make=make: (chat(gw), make(gw["model"]), closed(gw))
    embed = lambda gw: {"model": gw.get("embed_model", gw["model"]), "input": "The food was delicious.", "encoding_format": "float"}  # noqa: E731
    yield "embed", quick, lambda gw: (gw.get("embed_path", "/v1/embeddings"), json.dumps(embed(gw)).encode(), closed(gw))
    for key, make in DIALECTS:
        yield key, quick, lambda gw, key=key, make=make: (gw[f"{key}_path"], make(gw["model"]), closed(gw)) if f"{key}_path" in gw else None
    # open loop, against an upstream that takes 5 ms, as no real one is instantaneous
    for rate in a.rates:
        one = lambda gw, rate=rate: dict(mode="open", rate=rate, conns=256, duration=D + 1)  # noqa: E731
        yield f"open_{rate}", dict(latency_us=5000), lambda gw, rate=rate, one=one: (chat(gw), chat_body(gw["model"], 500), one(gw)) if rate in gw.get("rates", a.rates) else None
    # streams: 100 chunks each, paced so that every chunk is its own packet
    paced = lambda gw: dict(mode="closed", stream=True, conns=gw.get("sse_conns", 32), count=gw.get("sse_count", 128), duration=60)  # noqa: E731
    burst = dict(mode="closed", stream=True, conns=8, duration=D)
    yield "sse_paced", dict(gap_us=5000), lambda gw: (chat(gw), chat_body(gw["model"], 500, True), paced(gw))
    yield "sse_burst", quick, lambda gw: (chat(gw), chat_body(gw["model"], 500, True), burst)
    for key, make in DIALECTS:
        yield f"{key}_burst", quick, lambda gw, key=key, make=make: (gw[f"{key}_path"], make(gw["model"], True), burst) if f"{key}_path" in gw else None

def run_round(b, gws, rnd):
    """All gateways in one round; by name, what was found."""
    runs, found = {}, {}
    def trying(name, what, step, *args, **kw):
        try:
            return step(*args, **kw)
        except (SystemExit, Exception) as e:
            print(f"round {rnd} {name}: FAILED at {what}: {e!r}", file=sys.stderr, flush=True)
            if name in runs: runs.pop(name).end()
    try:
        for gw in gws:
            if run := trying(gw["name"], "start", Run, b, gw):
                runs[gw["name"]] = run
                trying(gw["name"], "warm-up", run.begin)
        for number, (key, upstream, asks) in enumerate(scenarios(b.a)):
            b.ctl(**upstream)
            # nobody is always the first
            for run in list(runs.values())[::-1 if (rnd + number) % 2 else 1]:
                if run.wants(key) and (ask := asks(run.gw)):
                    trying(run.gw["name"], key, run.measure, key, *ask[:2], **ask[2])
        b.ctl()
        for run in runs.values(): run.end()
        for name, run in list(runs.items()):
            if not run.process: continue
            if run.gw.get("class") != "slow" and "crowd" not in run.skip and any(run.wants(f"crowd_{n}") for n in CROWDS):
                trying(name, "afresh", run.afresh)
                if name in runs: trying(name, "crowds", run.crowds)
            if name in runs and run.wants("hold") and rnd < b.a.hold_rounds:
                trying(name, "afresh", run.afresh)
                if name in runs: trying(name, "hold", run.hold)
            run.end()
        found = {name: run.result() for name, run in runs.items()}
    finally:
        for run in runs.values(): run.end()
    return found

def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("gateways", nargs="*", help="folders under gateways/; 'direct' is always added")
    ap.add_argument("--rounds", type=int, default=3)
    ap.add_argument("--seconds", type=float, default=3, help="length of one closed-loop scenario")
    ap.add_argument("--rates", type=lambda s: [int(x) for x in s.split(",")], default=[100, 500])
    ap.add_argument("--hold-rounds", type=int, default=1, help="rounds that include the held streams")
    ap.add_argument("--only", type=lambda s: s.split(","), help="scenario names")
    ap.add_argument("--focus", default="ironbow")
    ap.add_argument("--out", default=str(HERE / "out"))
    ap.add_argument("--report", help="only print the tables of an earlier results.json")
    ap.add_argument("--page", action="store_true", help="write docs/performance.md and its chart")
    a = ap.parse_args()
    if a.report:
        data = json.load(open(a.report))
        print(report.tables(data, a.focus)[1])
        if a.page: report.page(data, a.focus)
        return
    alone()
    many_files()
    b = Bench(a)
    names = ["direct"] + [n for n in a.gateways if n != "direct"]
    gws = [load_gateway(n) for n in names]
    data = {"rounds": a.rounds, "rates": a.rates, "seconds": a.seconds, "labels": {g["name"]: g.get("label", g["name"]) for g in gws},
            "hold_rounds": a.hold_rounds, "load_before": os.getloadavg(), "facts": report.facts() | {"tcp": congestion(), "crowd": largest(CROWDS[-1])}, "runs": {n: [] for n in names}}
    b.start_upstream()
    try:
        for rnd in range(a.rounds):
            t = time.monotonic()
            for name, r in run_round(b, gws, rnd).items():
                data["runs"][name].append(r | {"round": rnd})
                print(f"round {rnd} {name}: load {r['load']:.1f}, " + ", ".join(
                    f"{k} {v['cpu_us']:.1f}µs/{v['rps']:.0f}rps{'/BAD ' + str(v['bad']) + ' ' + v['first_error'][:80] if v.get('bad') else ''}"
                    for k, v in r.items() if isinstance(v, dict) and "cpu_us" in v), file=sys.stderr, flush=True)
            print(f"round {rnd}: {time.monotonic() - t:.0f} s", file=sys.stderr, flush=True)
            (b.out / "results.json").write_text(json.dumps(data, indent=1))
    finally:
        b.upstream.terminate(); b.upstream.wait()
    data["load_after"] = os.getloadavg()
    data["figures"], md = report.tables(data, a.focus)
    (b.out / "results.json").write_text(json.dumps(data, indent=1))
    (b.out / "table.md").write_text(md)
    print(md)
    if a.page:
        report.page(data, a.focus)

if __name__ == "__main__":
    main()
