#!/usr/bin/env python3
"""Asks DuckDB and plain DataFusion the questions of benches/src/figures/queries.rs, on the Parquet files of Weir's segments.

    python3 -m venv venv && venv/bin/pip install duckdb datafusion
    benches/run.sh queries --python venv/bin/python

    other_engines.py FOLDER SERVICE TRACE VALUE

FOLDER holds the segments' folders. Prints `what<TAB>how long` lines, the median of seven; an engine that is not installed is left out.
"""

import glob
import os
import statistics
import sys
import time

ROUNDS = 8
THREADS = 2


def measure(ask):
    """The median time of an answer in ms; the first one only warms."""
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        ask()
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times[1:])


def questions(table, hex_of, percentile, service, trace, value):
    search = (
        f"SELECT trace_id, span_id, name, start_time, duration_ns FROM {table} WHERE service = '{service}' "
        "AND attributes_other LIKE '%\"app.lane\":\"{value}\"%' ORDER BY start_time DESC LIMIT 20"
    )
    return [
        ("trace by id", f"SELECT * FROM {table} WHERE trace_id = {hex_of(trace)}"),
        ("search, many match", search.replace("{value}", "north")),
        ("search, few match", search.replace("{value}", value)),
        ("search, none", search.replace("{value}", "nowhere")),
        ("P99 of duration by service", f"SELECT service, {percentile} FROM {table} GROUP BY service"),
    ]


def duckdb_engine(files):
    import duckdb

    connection = duckdb.connect()
    connection.execute(f"SET threads = {THREADS}")
    table = f"read_parquet({files!r}, union_by_name = true)"
    def run(sql):
        return connection.execute(sql).fetchall()

    return f"DuckDB {duckdb.__version__}", table, lambda trace: f"from_hex('{trace}')", "approx_quantile(duration_ns, 0.99)", run


def datafusion_engine(files):
    import datafusion

    config = datafusion.SessionConfig({"datafusion.execution.parquet.pushdown_filters": "true"})
    context = datafusion.SessionContext(config.with_target_partitions(THREADS))
    # One folder for all files: links, since each segment's file has the same name.
    folder = os.path.join(os.path.dirname(os.path.dirname(files[0])), ".links")
    os.makedirs(folder, exist_ok=True)
    for number, file in enumerate(files):
        link = os.path.join(folder, f"{number}.parquet")
        if not os.path.exists(link):
            os.symlink(file, link)
    context.register_parquet("spans", folder)
    def run(sql):
        return context.sql(sql).collect()

    name = f"plain DataFusion {datafusion.__version__}"
    percentile = "approx_percentile_cont(0.99) WITHIN GROUP (ORDER BY duration_ns)"
    return name, "spans", lambda trace: f"arrow_cast(decode('{trace}', 'hex'), 'FixedSizeBinary(16)')", percentile, run


def main():
    folder, service, trace, value = sys.argv[1:]
    files = sorted(os.path.abspath(file) for file in glob.glob(os.path.join(folder, "*", "spans.parquet")))
    for engine in (duckdb_engine, datafusion_engine):
        try:
            name, table, hex_of, percentile, run = engine(files)
        except ImportError as error:
            print(f"not measured: {error}", file=sys.stderr)
            continue
        for what, sql in questions(table, hex_of, percentile, service, trace, value):
            try:
                print(f"{name}: {what}\t{measure(lambda: run(sql)):.1f} ms", flush=True)
            except Exception as error:  # whatever an engine cannot do is said, not hidden
                print(f"{name}: {what}\tfailed: {str(error).splitlines()[0]}", flush=True)


if __name__ == "__main__":
    main()
