"""Measures what slow readers of a huge trace cost: benches/slow_readers.py --weir BINARY [--gib 3] [--readers 8].

Sends one trace of spans with long texts, and as many lines beside it, waits until all is in segments, then lets clients ask every API
that gives the trace and take hardly anything of the answers. Prints, of each API, the most memory that the process had. Needs Python
alone.
"""

import argparse
import http.client
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

TRACE = "0af7651916cd43dd8448eb211c80319c"
ROWS = 200_000
ROWS_AT_ONCE = 1000
LETTERS = "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_,"


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def fixed64(number, value):
    return varint(number << 3 | 1) + value.to_bytes(8, "little")


def text_attribute(number, key, value):
    return field(number, field(1, key.encode()) + field(2, field(1, value)))


def texts(kind, length):
    """Random letters for each row, or the same for all."""
    dice = random.Random(7)
    pool = "".join(dice.choices(LETTERS, k=4 << 20)).encode()
    while True:
        start = dice.randrange(len(pool) - length) if kind == "distinct" else 0
        yield pool[start : start + length]


class Weir:
    def __init__(self, binary, folder):
        self.http, self.query = free_port(), free_port()
        config = folder / "weir.yaml"
        config.write_text(
            f"""receivers:
  otlp:
    protocols:
      http: {{endpoint: "127.0.0.1:{self.http}"}}
query: {{endpoint: "127.0.0.1:{self.query}"}}
storage:
  path: {folder / 'data'}
  free_min: 1MiB
  accept: any
  seal: {{age_max: 1s}}
"""
        )
        self.log = open(folder / "weir.log", "a")
        self.process = subprocess.Popen([binary, "run", "--config", config], stdout=self.log, stderr=self.log)
        while True:
            try:
                if self.get("/readyz")[0] == 200:
                    return
            except OSError:
                if self.process.poll() is not None:
                    sys.exit((folder / "weir.log").read_text()[-2000:])
                time.sleep(0.05)

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.query, timeout=120)
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()

    def metric(self, name, labels=""):
        found = re.findall(rf"^{name}(?:{{[^}}]*{labels}[^}}]*}})? ([0-9.e+-]+)$", self.get("/metrics")[1].decode(), re.M)
        return sum(float(value) for value in found)

    def memory_mb(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"RssAnon:\s+(\d+)", status)[1]) * 1024 / 1e6

    def send(self, path, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.http, timeout=120)
        while True:
            connection.request("POST", path, body, {"content-type": "application/x-protobuf"})
            answer = connection.getresponse()
            words = answer.read()
            if answer.status == 200:
                return
            if answer.status not in (429, 503):
                sys.exit(f"{path}: {answer.status} {words[:300]!r}")
            time.sleep(0.2)


def fill(weir, kind, length):
    now = time.time_ns()
    resource = field(1, text_attribute(1, "service.name", b"hoarder"))
    some = texts(kind, length)
    for first in range(0, ROWS, ROWS_AT_ONCE):
        spans, lines = [], []
        for row in range(first, first + ROWS_AT_ONCE):
            text = next(some)
            span_id = (row + 1).to_bytes(8, "big")
            start = fixed64(7, now + row * 1000) + fixed64(8, now + row * 1000 + 500)
            ids = field(1, bytes.fromhex(TRACE)) + field(2, span_id)
            parent = field(4, (row // 10).to_bytes(8, "big")) if row >= 10 else b""
            statement = text_attribute(9, "db.query.text", text)
            spans.append(field(2, ids + parent + field(5, b"query") + b"\x30\x01" + start + statement))
            body = field(5, field(1, text))
            lines.append(field(2, fixed64(1, now + row * 1000) + body + field(9, bytes.fromhex(TRACE)) + field(10, span_id)))
        weir.send("/v1/traces", field(1, resource + field(2, b"".join(spans))))
        weir.send("/v1/logs", field(1, resource + field(2, b"".join(lines))))
    began = time.time()
    while weir.metric("weir_head_spans") + weir.metric("weir_head_lines") > 0 or weir.metric("weir_merge_debt_bytes") > 0:
        if time.time() - began > 600:
            sys.exit("not sealed in time")
        time.sleep(1)


def apis():
    sql = "SELECT+{}+FROM+{}+WHERE+trace_id='" + TRACE + "'"
    return [
        ("Jaeger's trace", f"/jaeger/api/traces/{TRACE}"),
        ("Jaeger's search", "/jaeger/api/traces?service=hoarder&limit=20"),
        ("Jaeger's third API", f"/jaeger/api/v3/traces/{TRACE}"),
        ("trace", f"/api/v1/trace/{TRACE}"),
        ("trace, every row", f"/api/v1/trace/{TRACE}?raw=true"),
        ("columns", f"/api/v1/trace/{TRACE}/columns"),
        ("find in it", f"/api/v1/trace/{TRACE}/find?q=zzzzzz"),
        ("a span of it", f"/api/v1/trace/{TRACE}/spans/{1000:016x}?whole=true"),
        ("SQL, spans", "/api/v1/sql?query=" + sql.format("*", "spans")),
        ("SQL, lines", "/api/v1/sql?query=" + sql.format("*", "logs")),
        ("Loki's lines", "/loki/api/v1/query_range?query=%7Bservice_name%3D%22hoarder%22%7D&limit=5000&since=24h"),
        ("Loki's lines, filtered", "/loki/api/v1/query_range?query=%7Bservice_name%3D%22hoarder%22%7D%7C%3D%22qq%22&limit=5000&since=24h"),
        ("attributes", "/api/v1/attributes?service=hoarder"),
    ]


def read_slowly(port, path, until, statuses):
    with socket.socket() as one:
        # A small window: what is not taken stays with the server.
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.connect(("127.0.0.1", port))
        one.settimeout(1)
        one.sendall(f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
        head = b""
        while time.time() < until:
            try:
                piece = one.recv(512)
            except TimeoutError:
                continue
            except OSError:
                break
            if not piece:
                break
            if len(head) < 64:
                head += piece
            time.sleep(0.1)
        statuses.append(head[9:12].decode() or "none")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--weir", required=True)
    parser.add_argument("--gib", type=float, default=3)
    parser.add_argument("--readers", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=25)
    parser.add_argument("--texts", default="distinct,same")
    parser.add_argument("--only", default="", help="of the APIs those with this in their names")
    parser.add_argument("--data", help="a folder that stays, and is filled unless it was before")
    args = parser.parse_args()
    for kind in args.texts.split(","):
        with tempfile.TemporaryDirectory(prefix="weir-slow-") as temporary:
            folder = Path(args.data or temporary) / kind
            is_filled = (folder / "filled").exists()
            folder.mkdir(parents=True, exist_ok=True)
            weir = Weir(args.weir, folder)
            try:
                if not is_filled:
                    began = time.time()
                    fill(weir, kind, int(args.gib * (1 << 30) / ROWS))
                    (folder / "filled").touch()
                    print(f"filled with {kind} texts in {time.time() - began:.0f} s", file=sys.stderr)
                measure(weir, kind, args)
            finally:
                weir.process.send_signal(signal.SIGTERM)
                weir.process.wait(120)


def measure(weir, kind, args):
    print(f"| {kind} texts, {args.readers} slow readers | answers | memory before | most |\n|---|---|---|---|")
    most_of_all = 0
    for name, path in [api for api in apis() if args.only in api[0]]:
        before, most, statuses = weir.memory_mb(), 0, []
        until = time.time() + args.seconds
        readers = [
            threading.Thread(target=read_slowly, args=(weir.query, path, until, statuses)) for _ in range(args.readers)
        ]
        for reader in readers:
            reader.start()
        while any(reader.is_alive() for reader in readers):
            most = max(most, weir.memory_mb())
            time.sleep(0.02)
        counted = {status: statuses.count(status) for status in sorted(set(statuses))}
        print(f"| {name} | {json.dumps(counted)} | {before:.0f} MB | {most:.0f} MB |", flush=True)
        most_of_all = max(most_of_all, most)
    print(f"| **all** | | | **{most_of_all:.0f} MB** |", flush=True)


if __name__ == "__main__":
    os.nice(5)
    main()
