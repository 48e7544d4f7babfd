"""Asks DuckDB about the segments' Parquet files.

Takes the folder of a tenant's segments; reads a JSON list of queries from stdin, writes a JSON list of their rows to stdout.
Makes a view `spans` like Weir's table from the files' own columns (docs/formats.md).
"""

import glob
import json
import re
import sys
from datetime import datetime
from decimal import Decimal

import duckdb


def attributes(place, keys, columns):
    """A map of these keys to text: from a column of their own, or from the residual JSON."""
    entries = []
    for key in sorted(keys):
        found = [f"json_extract_string({place}_other, '$.\"{key}\"')"]
        if f"{place}.{key}" in columns:
            found.insert(0, f'CAST("{place}.{key}" AS VARCHAR)')
        entries.append(f"'{key}': coalesce({', '.join(found)})")
    return f"MAP {{{', '.join(entries)}}}"


def view(files, queries):
    """The text that makes the view, with the attributes that the queries name."""
    source = f"read_parquet({files!r}, union_by_name = true)"
    columns = {row[0] for row in duckdb.sql(f"DESCRIBE SELECT * FROM {source}").fetchall()}
    text = "\n".join(queries)
    named = {place: set(re.findall(place + r"\['([^']+)'\]", text)) for place in ("attributes", "resource")}
    return f"""
        CREATE VIEW spans AS SELECT
            lower(hex(trace_id)) AS trace_id, lower(hex(span_id)) AS span_id, lower(hex(parent_span_id)) AS parent_span_id,
            service, name,
            (['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'])[kind + 1] AS kind,
            epoch_ns(start_time) AS start_ns, start_time, duration_ns,
            (['unset', 'ok', 'error'])[status_code + 1] AS status_code, status_message, scope_name, adjusted_count, events, links,
            {attributes("attributes", named["attributes"], columns)} AS attributes,
            {attributes("resource", named["resource"], columns)} AS resource
        FROM {source}"""


def plain(value):
    """As JSON has it."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S")
    return value


files = sorted(file for file in glob.glob(sys.argv[1] + "/*/spans.parquet") if ".tmp/" not in file)
queries = json.load(sys.stdin)
duckdb.sql("SET TimeZone = 'UTC'")
duckdb.sql(view(files, queries))
answers = []
for query in queries:
    rows = duckdb.sql(query).fetchall()
    answers.append([[plain(value) for value in row] for row in rows])
json.dump(answers, sys.stdout)
