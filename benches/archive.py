"""Measures the archive: benches/archive.py --weir BINARY --loadgen BINARY --gateway VERSITYGW [--spans N].

Sends spans to a weir whose archive is versitygw on this machine, behind a proxy that puts 20 ms on each request; then asks once
everything is only there. Prints a table of figures. With --folder what was made stays there, and --ask asks it again.
--beside sends at a rate while the archive takes what comes. Needs Python alone.
"""

import argparse
import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

DELAY_S = 0.02
HZ = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Proxy(threading.Thread):
    """Puts the delay on the first bytes of each request of a connection."""

    def __init__(self, upstream):
        super().__init__(daemon=True)
        self.upstream, self.port, self.requests, self.closed = upstream, free_port(), 0, False

    def run(self):
        asyncio.run(self.serve())

    async def serve(self):
        server = await asyncio.start_server(self.connection, "127.0.0.1", self.port)
        await server.serve_forever()

    async def connection(self, reader, writer):
        if self.closed:
            writer.close()
            return
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.upstream)
        is_new = [True]

        async def forth():
            while data := await reader.read(1 << 18):
                if is_new[0]:
                    is_new[0] = False
                    self.requests += 1
                    await asyncio.sleep(DELAY_S)
                up_writer.write(data)
                await up_writer.drain()
            up_writer.close()

        async def back():
            while data := await up_reader.read(1 << 18):
                is_new[0] = True
                writer.write(data)
                await writer.drain()
            writer.close()

        await asyncio.gather(forth(), back(), return_exceptions=True)


class Weir:
    def __init__(self, binary, folder, proxy, more):
        self.ports = {name: free_port() for name in ("grpc", "http", "query")}
        config = folder / "weir.yaml"
        archive = f"""  archive:
    url: "s3://weir/bench"
    endpoint: "http://127.0.0.1:{proxy.port}"
    path_style: true
    allow_http: true
    access_key_id: testkey
    secret_access_key: testsecret
    commit_interval: 5s
    segment_age_max: {more.get('age', '24h')}
    cache: {{size_max: {more.get('cache', '8GiB')}}}
"""
        config.write_text(
            f"""receivers:
  otlp:
    protocols:
      grpc: {{endpoint: "127.0.0.1:{self.ports['grpc']}"}}
      http: {{endpoint: "127.0.0.1:{self.ports['http']}"}}
query: {{endpoint: "127.0.0.1:{self.ports['query']}"}}
storage:
  path: {folder / more.get('data', 'data')}
  free_min: 1MiB
  {more.get("storage", "")}
"""
            + ("" if "data" in more else archive)
        )
        log = open(folder / "weir.log", "a")
        started = time.time()
        self.process = subprocess.Popen([binary, "run", "--config", config], stdout=log, stderr=log)
        while True:
            try:
                self.get("/readyz")
                break
            except (urllib.error.URLError, ConnectionError):
                if self.process.poll() is not None or time.time() - started > 120:
                    sys.exit((folder / "weir.log").read_text()[-2000:])
                time.sleep(0.01)
        self.ready_s = time.time() - started

    def get(self, path, body=None):
        address = f"http://127.0.0.1:{self.ports['query']}{path}"
        with urllib.request.urlopen(urllib.request.Request(address, data=body), timeout=120) as answer:
            return answer.read()

    def sql(self, text):
        return json.loads(self.get("/api/v1/sql", text.encode()))["rows"]

    def metric(self, name, labels=""):
        text = self.get("/metrics").decode()
        found = re.findall(rf"^{name}(?:{{[^}}]*{labels}[^}}]*}})? ([0-9.e+-]+)$", text, re.M)
        return sum(float(value) for value in found)

    def cpu_s(self, *names):
        """Of the threads called so; of all without names."""
        total = 0
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            comm = (task / "comm").read_text().strip()
            if not names or any(comm.startswith(name) for name in names):
                fields = (task / "stat").read_text().rsplit(")", 1)[1].split()
                total += (int(fields[11]) + int(fields[12])) / HZ
        return total

    def memory_mib(self, field="VmRSS"):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{field}:\s+(\d+)", status)[1]) / 1024

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


class Peak(threading.Thread):
    """The most memory that a process has of its own, of a file, and both, from now on."""

    def __init__(self, weir):
        super().__init__(daemon=True)
        self.weir, self.running, self.begin = weir, True, weir.memory_mib("RssAnon")
        self.most = 0
        self.start()

    def run(self):
        while self.running:
            try:
                self.most = max(self.most, self.weir.memory_mib("RssAnon"))
            except (OSError, TypeError):
                return
            time.sleep(0.01)

    def above(self):
        self.running = False
        return self.most - self.begin


def until(what, done, limit_s=600):
    started = time.time()
    while not done():
        if time.time() - started > limit_s:
            sys.exit(f"{what}: not after {limit_s} s")
        time.sleep(0.2)
    return time.time() - started


def p99(times):
    return sorted(times)[max(0, int(len(times) * 0.99) - 1)] * 1000


def timed(work):
    started = time.time()
    work()
    return time.time() - started


def best(work, times=3):
    return min(timed(work) for _ in range(times))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--weir", required=True)
    parser.add_argument("--loadgen", required=True)
    parser.add_argument("--gateway", required=True)
    parser.add_argument("--spans", type=int, default=2_000_000)
    parser.add_argument("--rate", type=float, help="spans a second; flat out without it")
    parser.add_argument("--rebuild", type=int, help="instead: a start from a bucket with so many small segments")
    parser.add_argument("--traces", type=int, default=150)
    parser.add_argument("--folder", type=Path, help="what was made stays here")
    parser.add_argument("--ask", action="store_true", help="what is in the folder already")
    parser.add_argument("--beside", type=int, help="instead: spans at --rate, so many seconds, while they are archived")
    args = parser.parse_args()
    if args.folder:
        args.folder.mkdir(parents=True, exist_ok=True)
        measure(args, args.folder)
        return
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        measure(args, Path(folder))


def measure(args, folder):
    (folder / "s3/weir").mkdir(parents=True, exist_ok=True)
    port = free_port()
    keys = ["--quiet", "--access", "testkey", "--secret", "testsecret", "--port", f"127.0.0.1:{port}"]
    gateway = subprocess.Popen([args.gateway, *keys, "posix", folder / "s3"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    proxy = Proxy(port)
    proxy.start()
    try:
        time.sleep(1)
        if args.rebuild:
            rebuild(args, folder, proxy)
        elif args.beside:
            beside(args, folder, proxy)
        else:
            if not args.ask:
                archive(args, folder, proxy)
            ask(folder, proxy)
    finally:
        gateway.kill()
        gateway.wait()


def tell(what, figure):
    print(f"| {what} | {figure} |", flush=True)


def rebuild(args, folder, proxy):
    """Many small segments, uploaded without the delay; a start from them with it."""
    small = {"storage": "journal: {file_age_max: 100ms}\n  seal: {age_max: 100ms}", "age": "100ms"}
    direct = argparse.Namespace(port=proxy.upstream)
    weir = Weir(args.weir, folder, direct, small)
    send = [args.loadgen, "--endpoint", f"127.0.0.1:{weir.ports['grpc']}", "--rate", "500", "--batch", "50", "--duration", "3600"]
    load = subprocess.Popen(send, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until("uploaded", lambda: weir.metric("weir_archive_segments", 'stage="committed"') >= args.rebuild, 3600)
    load.kill()
    load.wait()
    count = weir.metric("weir_archive_segments")
    weir.stop()
    subprocess.run(["rm", "-rf", folder / "data"], check=True)
    weir = Weir(args.weir, folder, proxy, {"age": "24h"})
    tell(f"a start from the bucket alone, {count:.0f} segments, s", f"{weir.ready_s:.1f}")
    weir.stop()


def beside(args, folder, proxy):
    """Spans come at a rate while what came before goes out."""
    weir = Weir(args.weir, folder, proxy, {"age": "5s"})
    rate = args.rate or 350_000
    send = [args.loadgen, "--endpoint", f"127.0.0.1:{weir.ports['grpc']}", "--rate", str(rate), "--duration", str(args.beside), "--json"]
    sent = json.loads(subprocess.run(send, check=True, capture_output=True).stdout)
    at_end = weir.metric("weir_archive_committed_items_total")
    refused = {name: value for name, value in sent.items() if "refus" in name or "unacked" in name or "fail" in name}
    tell(f"{rate:,.0f} spans a second, {args.beside} s", f"{json.dumps(sent)}")
    tell("refused", f"{refused}")
    tell("in the table by then", f"{at_end:,.0f}")
    tell("CPU, s", f"{weir.cpu_s():.1f}, of these the archive's {weir.cpu_s('weir-archive'):.1f}")
    weir.stop()


QUESTION = "SELECT attributes['http.route'] AS route, count(*) AS n FROM spans WHERE attributes['http.route'] IS NOT NULL GROUP BY 1"


def archive(args, folder, proxy):
    weir = Weir(args.weir, folder, proxy, {})
    send = [args.loadgen, "--endpoint", f"127.0.0.1:{weir.ports['grpc']}", "--spans", str(args.spans), "--json"]
    if args.rate:
        send += ["--rate", str(args.rate)]
    sent = json.loads(subprocess.run(send, check=True, capture_output=True).stdout)
    refused = {name: value for name, value in sent.items() if "refus" in name or "unacked" in name or "fail" in name}
    tell("spans sent", f"{args.spans:,} {refused}")
    until("sealed", lambda: weir.metric("weir_segment_items", 'signal="traces"') >= args.spans)
    until("merged", lambda: weir.metric("weir_merge_debt_bytes") == 0)
    hot_s = best(lambda: weir.sql(QUESTION), 5)
    ids = [row["trace_id"] for row in weir.sql(f"SELECT DISTINCT trace_id FROM spans LIMIT {args.traces * 40}")][::40]
    (folder / "asked.json").write_text(json.dumps({"spans": args.spans, "hot_s": hot_s, "ids": ids}))
    weir.stop()
    if args.folder:
        subprocess.run(["cp", "-r", folder / "data", folder / "data-hot"], check=True)

    # Neighbours that are old become one first: what that takes is not the uploader's.
    proxy.closed = True
    weir = Weir(args.weir, folder, proxy, {"age": "1s"})
    cpu_s, since = -1, time.time()
    while time.time() - since < 10:
        now = weir.cpu_s("weir-merge")
        if now != cpu_s:
            cpu_s, since = now, time.time()
        time.sleep(0.5)
    weir.stop()
    proxy.closed = False

    weir = Weir(args.weir, folder, proxy, {"age": "1s"})
    peak = Peak(weir)
    resident = weir.memory_mib()
    taken = until("archived", lambda: weir.metric("weir_archive_committed_items_total") >= args.spans, 1800)
    cpu_s = weir.cpu_s("weir-archive")
    tell("CPU to archive a million spans, s", f"{cpu_s / args.spans * 1e6:.2f} (threads weir-archive*, {taken:.0f} s)")
    whole = weir.memory_mib("VmHWM") - resident
    tell("memory, peak above that of the start, MiB", f"{peak.above():.0f} of its own; {whole:.0f} with the program's pages")
    objects = [path for path in (folder / "s3/weir").rglob("*") if path.is_file()]
    stored = sum(path.stat().st_size for path in objects)
    tell("bytes a span in the bucket", f"{stored / args.spans:.1f}")
    for end in ("parquet", "idx", "json"):
        share = sum(path.stat().st_size for path in objects if path.name.endswith(end))
        tell(f"… of these .{end}", f"{share / args.spans:.1f}")
    tell("objects", len(objects))
    weir.stop()

    # Everything leaves the local disk.
    weir = Weir(args.weir, folder, proxy, {"age": "1s", "storage": "retention: {traces: 1s}"})
    until("away", lambda: weir.metric("weir_segment_bytes") == 0)
    weir.stop()


def ask(folder, proxy):
    asked = json.loads((folder / "asked.json").read_text())
    ids, hot_s, binary = asked["ids"], asked["hot_s"], sys.argv[sys.argv.index("--weir") + 1]
    if (folder / "data-hot").exists():
        weir = Weir(binary, folder, proxy, {"data": "data-hot"})
        hot = [timed(lambda: weir.get(f"/api/v1/trace/{one}")) for one in ids * 2][len(ids):]
        tell("trace by id from local disk, p99 ms", f"{p99(hot):.1f}")
        weir.sql(QUESTION)
        hot_s = best(lambda: weir.sql(QUESTION), 5)
        weir.stop()
    weir = Weir(binary, folder, proxy, {"age": "1s", "cache": "16MiB"})
    cold = [timed(lambda: weir.get(f"/api/v1/trace/{one}")) for one in ids]
    tell(f"trace by id, cold ({len(ids)} traces, a cache of 16 MiB), p99 ms", f"{p99(cold):.0f}")
    weir.stop()
    weir = Weir(binary, folder, proxy, {"age": "1s"})
    first = [timed(lambda: weir.get(f"/api/v1/trace/{one}")) for one in ids]
    cpu_s = weir.cpu_s()
    warm = [timed(lambda: weir.get(f"/api/v1/trace/{one}")) for one in ids]
    cpu_ms = (weir.cpu_s() - cpu_s) / len(ids) * 1000
    tell("trace by id, first time / warm, p99 ms", f"{p99(first):.0f} / {p99(warm):.1f} ({cpu_ms:.1f} ms of CPU each)")
    weir.sql(QUESTION)
    warm_s = best(lambda: weir.sql(QUESTION), 5)
    tell("one attribute over all: warm, hot, ratio", f"{warm_s * 1000:.0f} ms, {hot_s * 1000:.0f} ms, {warm_s / hot_s:.2f}")
    weir.stop()

    (folder / "data").rename(folder / "data-before")
    weir = Weir(binary, folder, proxy, {"age": "1s"})
    count = weir.sql("SELECT count(*) AS n FROM spans")[0]["n"]
    tell("a start from the bucket alone, s", f"{weir.ready_s:.2f} ({count:,} spans)")
    weir.stop()
    subprocess.run(["rm", "-rf", folder / "data-before"], check=True)


main()
