"""Asks the archive's table of spans the questions of docs/sql.md, by DuckDB's delta_scan and by Polars.

Takes the table and a trace's id; reads a JSON list of DuckDB's queries from stdin, writes {"duckdb": [...], "polars": [...]} to
stdout: of each question the rows.
"""

import json
import re
import sys
from pathlib import Path

import duckdb
import duckdb_extension_delta
import polars as pl

TABLE, TRACE = sys.argv[1:3]


def of_duckdb(queries):
    [extension] = Path(duckdb_extension_delta.__file__).parent.glob("extensions/*/delta.duckdb_extension")
    connection = duckdb.connect()
    connection.execute(f"LOAD '{extension}'")
    connection.execute("SET TimeZone = 'UTC'")
    columns = {row[0] for row in connection.sql(f"DESCRIBE SELECT * FROM delta_scan('{TABLE}')").fetchall()}

    def attributes(place):
        text = "\n".join(queries)
        entries = []
        for key in sorted(set(re.findall(place + r"\['([^']+)'\]", text))):
            own = key.replace(".", "_")
            found = [f"CAST({own} AS VARCHAR)"] if own in columns else []
            entries.append(f"'{key}': coalesce({', '.join([*found, f'''{place}['{key}']''', 'NULL'])})")
        return f"MAP {{{', '.join(entries)}}} AS {place}"

    connection.execute(
        f"""CREATE VIEW spans AS SELECT * REPLACE ({attributes("attributes")}, {attributes("resource")}),
            start_unix_nano AS start_ns FROM delta_scan('{TABLE}')"""
    )
    plain = lambda value: float(value) if type(value).__name__ == "Decimal" else value
    return [[[plain(value) for value in row] for row in connection.sql(query).fetchall()] for query in queries]


def of_polars():
    spans = pl.read_delta(TABLE)

    def text(place, key):
        """An attribute as text, from its own column or from the map."""
        is_map = spans.schema[place].__class__.__name__ == "Map"
        of_key = pl.element().filter(pl.element().struct.field("key") == key).struct.field("value")
        # Before Polars had maps they were lists of entries.
        in_map = pl.col(place).map.get(key) if is_map else pl.col(place).list.eval(of_key).list.first()
        own = key.replace(".", "_")
        return pl.coalesce(pl.col(own).cast(pl.String), in_map) if own in spans.columns else in_map

    def attribute(key):
        return text("attributes", key)

    def disc(share):
        """The least value that so many are not above."""
        sorted_ns = pl.col("duration_ns").sort()
        return sorted_ns.get((pl.len() * share).ceil().cast(pl.Int64) - 1) / 1e6

    error = (pl.col("status_code") == "error").cast(pl.Int64)
    server = spans.filter(pl.col("kind") == "server")

    def ordered(frame, by, descending=None):
        return frame.sort(by, descending=descending or False, nulls_last=True, maintain_order=True)

    def errors():
        found = spans.group_by("service").agg(pl.len(), error.sum().alias("errors"))
        found = found.with_columns((100.0 * pl.col("errors") / pl.col("len")).round(2).alias("percent"))
        return ordered(found, ["errors", "service"], [True, False])

    def slowest():
        longest = pl.col("duration_ns").max().alias("max")
        found = server.group_by("service", "name").agg(pl.len(), disc(0.5).alias("p50"), disc(0.99).alias("p99"), longest)
        return found.sort("max", descending=True).drop("max").head(20)

    def trace():
        found = spans.filter(pl.col("trace_id") == TRACE).sort("start_unix_nano", "span_id")
        return found.select("span_id", "parent_span_id", "service", "name", pl.col("duration_ns") // 1000, "status_code")

    def newest_errors():
        found = spans.filter(pl.col("status_code") == "error")
        found = found.sort("start_unix_nano", "span_id", descending=[True, False]).head(20)
        start = pl.from_epoch("start_unix_nano", time_unit="ns").dt.to_string("%Y-%m-%dT%H:%M:%S%.9fZ")
        return found.select(start, "service", "name", "status_message", "trace_id")

    def routes():
        found = server.with_columns(attribute("http.route").alias("route"), attribute("http.response.status_code").alias("status"))
        found = found.filter(pl.col("route").is_not_null()).group_by("route", "status").agg(pl.len())
        return ordered(found, ["len", "route", "status"], [True, False, False])

    def exceptions():
        kind = pl.col("events").str.extract(r'"exception\.type":"([^"]*)"').alias("exception")
        found = spans.with_columns(kind).filter(pl.col("exception").is_not_null()).group_by("exception", "service").agg(pl.len())
        return ordered(found, ["len", "exception", "service"], [True, False, False])

    def minutes():
        minute = pl.col("start_time").dt.truncate("1m").dt.to_string("%Y-%m-%dT%H:%M:%S.000000000Z").alias("minute")
        return spans.with_columns(minute).group_by("minute", "service").agg(pl.len()).sort("minute", "service")

    def retries():
        calls = spans.filter((pl.col("kind") == "client") & pl.col("parent_span_id").is_not_null())
        calls = calls.group_by("trace_id", "parent_span_id", "service", "name").agg(pl.len().alias("calls"), error.sum().alias("failed"))
        found = calls.filter((pl.col("calls") > 1) & (pl.col("failed") > 0)).group_by("service", "name")
        found = found.agg(pl.len(), pl.col("calls").max())
        return ordered(found, ["len", "service", "name"], [True, False, False])

    def statements():
        found = spans.filter(attribute("db.system.name") == "postgresql").with_columns(attribute("db.query.text").alias("statement"))
        found = found.group_by("trace_id", "parent_span_id", "service", "statement").agg(pl.len().alias("times"))
        found = found.filter(pl.col("times") >= 2).group_by("service", "statement").agg(pl.len(), pl.col("times").max())
        return ordered(found, ["len", "service", "statement"], [True, False, False])

    def before_sampling():
        found = spans.filter(pl.col("kind").is_in(["server", "consumer"])).group_by("service")
        failed = pl.col("adjusted_count").filter(pl.col("status_code") == "error")
        failed = pl.when(failed.len() > 0).then(failed.sum()).alias("errors")
        found = found.agg(pl.len(), pl.col("adjusted_count").sum(), failed)
        return ordered(found, ["adjusted_count", "service"], [True, False])

    def calls():
        callers = spans.select("trace_id", pl.col("span_id").alias("parent_span_id"), pl.col("service").alias("caller"))
        found = spans.join(callers, on=["trace_id", "parent_span_id"]).filter(pl.col("caller") != pl.col("service"))
        found = found.group_by("caller", "service").agg(pl.len(), error.sum())
        return ordered(found, ["len", "caller", "service"], [True, False, False])

    def largest():
        found = spans.group_by("trace_id").agg(pl.len(), pl.col("service").n_unique(), pl.col("duration_ns").max())
        return found.sort("len", "trace_id", descending=[True, False]).head(10)

    def databases():
        found = spans.filter(attribute("db.system.name") == "postgresql")
        found = found.group_by(attribute("db.collection.name").alias("table"), attribute("db.operation.name").alias("operation"))
        rows = attribute("db.response.returned_rows").cast(pl.Float64).max().alias("rows")
        total = (pl.col("duration_ns").sum() / 1000000).alias("total")
        return ordered(found.agg(pl.len(), total, rows), ["total", "table", "operation"], [True, False, False])

    def cache():
        hit = attribute("app.cache.hit")
        found = spans.filter(hit.is_not_null()).group_by("service").agg(pl.len(), (hit == "true").cast(pl.Float64).mean())
        return ordered(found, ["len", "service"], [True, False])

    def pods():
        pod = text("resource", "k8s.pod.name").alias("pod")
        of_services = server.group_by("service").agg(pl.col("duration_ns").mean().alias("of_service"))
        found = server.group_by("service", pod).agg(pl.len(), pl.col("duration_ns").mean()).join(of_services, on="service")
        found = found.filter(pl.col("pod").is_not_null())
        found = found.select("service", "pod", "len", (pl.col("duration_ns") / pl.col("of_service")).alias("slower"))
        return found.sort("slower", "pod", descending=[True, False]).head(20)

    questions = [errors, slowest, trace, newest_errors, routes, exceptions, minutes, retries, statements, before_sampling]
    questions += [calls, largest, databases, cache, pods]
    return [[list(row) for row in question().rows()] for question in questions]


json.dump({"duckdb": of_duckdb(json.load(sys.stdin)), "polars": of_polars()}, sys.stdout)
