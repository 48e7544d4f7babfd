"""Writes a folder of the format of a binary: `make.py WEIR OUT`. Spans, JSON lines, samples, the state of an alert, an archive's rows in the catalog;
sealed segments and journal files that are not, as `kill -9` leaves them. OUT gets `data/`, `expected.json`, `lines.json` and `samples.json`."""
import base64, json, os, pathlib, re, shutil, signal, subprocess, sys, tempfile, time, urllib.error, urllib.request

weir, out = sys.argv[1], pathlib.Path(sys.argv[2])
work = pathlib.Path(tempfile.mkdtemp())
data = work / "data"
(work / "rules.yml").write_text(
    "groups: [{name: fixture, interval: 20s, rules: [{alert: Always, expr: vector(1), labels: {severity: page}},"
    " {alert: Soon, expr: vector(1), for: 30m}]}]\n")

def config(seals):
    age = "1s" if seals else "1h"
    return f"""
receivers:
  otlp: {{protocols: {{http: {{endpoint: '127.0.0.1:0'}}}}}}
query: {{endpoint: '127.0.0.1:0'}}
storage:
  accept: any
  journal: {{file_age_max: {age}, metrics_file_age_max: {age}, file_size_max: 1MiB, metrics_file_size_max: 1MiB}}
  seal: {{age_max: {age}}}
  archive: {{url: 'file://{work}/bucket', segment_age_max: {'100ms' if seals else '1h'}, commit_interval: 100ms}}
{'' if seals else 'alerting: {rule_files: [rules.yml]}'}
service: {{pipelines: {{traces: {{receivers: [otlp]}}, logs: {{receivers: [otlp]}}, metrics: {{receivers: [otlp]}}}}}}
"""

class Server:
    def __init__(self, seals):
        (work / "weir.yaml").write_text(config(seals))
        self.log = open(work / "log", "w+b")
        command = [weir, "run", "--config", work / "weir.yaml", "--data", data]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        self.otlp, self.query = (self.port(what) for what in ("OTLP/HTTP", "queries"))

    def port(self, what):
        for _ in range(200):
            text = (work / "log").read_text(errors="replace")
            found = re.search(what + r"[^\n]*(?:localhost|127\.0\.0\.1):(\d+)", text)
            if found:
                return int(found[1])
            time.sleep(0.1)
        raise SystemExit(f"no {what}:\n{text}")

    def post(self, path, body):
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.otlp}{path}", json.dumps(body).encode(), headers)
        answer = json.load(urllib.request.urlopen(request))
        assert not answer.get("partialSuccess"), answer

    def get(self, path):
        return urllib.request.urlopen(f"http://localhost:{self.query}{path}").read().decode()

    def until(self, what, holds):
        for _ in range(300):
            if holds():
                return
            time.sleep(0.1)
        raise SystemExit(f"never {what}:\n{self.get('/metrics')}")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

def attribute(key, **value):
    return {"key": key, "value": value}

def spans(numbers):
    start = 1_790_000_000_000_000_000
    def span(n, part):
        at = start + n * 1_000_000 + part * 1000
        return {"traceId": "0f" + "00" * 7 + f"{n + 1:016x}", "spanId": f"{n * 3 + part + 1:016x}", "kind": 2 if part == 0 else 3,
            "parentSpanId": "" if part == 0 else f"{n * 3 + 1:016x}", "name": f"GET /{part}", "startTimeUnixNano": str(at),
            "endTimeUnixNano": str(at + 5000), "status": {"code": 2 if n % 5 == 0 else 0},
            "attributes": [attribute("n", intValue=str(n)), attribute("http.route", stringValue=f"/{n % 4}"),
                attribute("ratio", doubleValue=n / 7), attribute("bytes", bytesValue=base64.b64encode(bytes([n % 256])).decode())],
            "events": [{"timeUnixNano": str(at + 1), "name": "exception", "attributes": [attribute("exception.type", stringValue="E")]}]}
    all_spans = [span(n, part) for n in numbers for part in range(3)]
    return {"resourceSpans": [{"resource": {"attributes": [attribute("service.name", stringValue="formats")]},
        "scopeSpans": [{"scope": {"name": "maker"}, "spans": all_spans}]}]}

def text(n):
    ids = f'"trace_id":"{n + 1:032x}","span_id":"{n + 8:016x}"'
    return [f"plain text line {n} of the fixture", f'{{"level":"info","n":{n},{ids},"msg":"café \\"quoted\\" {n}"}}',
        '{ "a" : { "b" : 2.50, "c":[1, 2,{"x":null}] } , "z":-0, "e":1e400}', '{"k":1,"k":%d}' % n, '{"broken":%d' % n,
        f'{{"esc":"\\u00e9\\/\\n","u":"\\ud83d\\ude00 {n}","empty":{{}},"t":true}}',
        f'{{"level":"warn","id":"{n * 0x9e3779b1 % 2**32:08x}-0000-4000-a000-{n:012d}","ms":{n / 7:.2f},"user":{{"id":{n},"plan":"free"}}}}',
        f'{{"time":"2026-11-29T12:00:{n % 60:02d}.{n:03d}Z","client":"10.0.{n % 7}.{n % 250}","status":{200 + n % 3}}}'][n % 8]

def of_body(n):
    """Attributes that are fields of the body, as who takes lines apart writes them."""
    try:
        fields = json.loads(text(n))
    except ValueError:
        return []
    return [attribute(key, stringValue=value) for key, value in fields.items() if isinstance(value, str)]

def lines(numbers):
    records = [{"timeUnixNano": str(1_790_000_000_000_000_000 + n * 1_000_000), "body": {"stringValue": text(n)},
        "attributes": [attribute("shard", intValue=str(n % 3)), *of_body(n)]} for n in numbers]
    return {"resourceLogs": [{"resource": {"attributes": [attribute("service.name", stringValue="formats")]},
        "scopeLogs": [{"scope": {"name": "maker"}, "logRecords": records}]}]}

def samples(numbers):
    point = lambda n: {"timeUnixNano": str(1_790_000_000_000_000_000 + n * 1_000_000_000), "asDouble": n / 3,
        "attributes": [attribute("shard", stringValue=str(n % 3))]}
    histogram = lambda n: {"timeUnixNano": str(1_790_000_000_000_000_000 + n * 1_000_000_000), "count": str(n + 3), "sum": n * 1.5,
        "scale": 2, "zeroCount": "1", "positive": {"offset": 1, "bucketCounts": ["1", str(n + 1)]}, "attributes": []}
    metrics = [{"name": "fixture.load", "unit": "1", "description": "A gauge.", "gauge": {"dataPoints": [point(n) for n in numbers]}},
        {"name": "fixture.took", "unit": "s", "exponentialHistogram": {"aggregationTemporality": 2, "dataPoints": [histogram(n) for n in numbers]}}]
    return {"resourceMetrics": [{"resource": {"attributes": [attribute("service.name", stringValue="formats")]},
        "scopeMetrics": [{"scope": {"name": "maker"}, "metrics": metrics}]}]}

def send(server, numbers):
    server.post("/v1/traces", spans(numbers))
    server.post("/v1/logs", lines(numbers))
    server.post("/v1/metrics", samples(numbers))

def segments(server):
    return json.loads(server.get("/api/v1/segments"))["segments"]

server = Server(seals=True)
for numbers in (range(0, 40), range(40, 80)):
    send(server, numbers)
    # Three spans, a line and two samples of each.
    server.until("sealed", lambda: sum(one["rows"] for one in segments(server)) == 6 * numbers.stop)
server.until("archived", lambda: all(one.get("object") for one in segments(server)))
server.kill()

server = Server(seals=False)
send(server, range(80, 110))
firing = lambda: '"firing"' in server.get("/prometheus/api/v1/alerts") and '"pending"' in server.get("/prometheus/api/v1/alerts")
server.until("an alert that fires and one that is pending", firing)
accepted = lambda: json.loads(server.get("/api/v1/ledger"))["metrics"]["default"]["accepted"]
counted = accepted()
time.sleep(1)
assert accepted() == counted, "rules are still being evaluated"
server.kill()

shutil.rmtree(out, ignore_errors=True)
out.mkdir(parents=True)
shutil.copytree(data, out / "data")
for name in ("LOCK", "catalog.sqlite-shm"):
    (out / "data" / name).unlink(missing_ok=True)
# What is allocated and not written yet need not lie here.
for path in (out / "data" / "journal").rglob("*.journal"):
    written = path.read_bytes().rstrip(b"\0")
    path.write_bytes(written + bytes(-len(written) % 4096))
none = []
(out / "expected.json").write_text(json.dumps([{"tenant": "default", "accepted": 330, "rejected": 0, "kept": list(range(110)),
    "pending": none, "dropped": none}]) + "\n")
(out / "lines.json").write_text(json.dumps([text(n) for n in range(110)], ensure_ascii=False) + "\n")
(out / "samples.json").write_text(json.dumps({"samples": counted, "notes": 2}) + "\n")
shutil.rmtree(work)
