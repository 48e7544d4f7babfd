"""Reads a Delta table as others do: delta_readers.py TABLE [READER...] prints what each reader finds, as JSON."""

import json
import sys
from datetime import datetime, timedelta, timezone

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def deltalake(table):
    import polars as library
    from deltalake import DeltaTable, QueryBuilder

    opened = DeltaTable(table)
    query = QueryBuilder().register("t", opened)
    rows = library.DataFrame(query.execute("SELECT * FROM t").read_all()).to_dicts()
    pruned = library.DataFrame(query.execute("SELECT count(*) AS n FROM t WHERE id >= 3000").read_all())["n"][0]
    about = {
        "version": opened.version(),
        "transaction": opened.transaction_version("weir.test"),
        "files": len(opened.file_uris()),
        "description": opened.metadata().description,
        "comment": json.loads(opened.schema().to_json())["fields"][0]["metadata"].get("comment"),
    }
    return summary(rows) | {"pruned": pruned, "about": about}


def duckdb(table):
    from pathlib import Path

    import duckdb as library
    import duckdb_extension_delta

    [extension] = Path(duckdb_extension_delta.__file__).parent.glob("extensions/*/delta.duckdb_extension")
    connection = library.connect()
    connection.execute(f"LOAD '{extension}'")
    connection.execute("SET TimeZone = 'UTC'")
    # Instants with a zone want a module of Python's that is not needed otherwise.
    relation = connection.sql(f"SELECT * REPLACE (time::TIMESTAMP AS time) FROM delta_scan('file://{table}')")
    rows = [dict(zip(relation.columns, row)) for row in relation.fetchall()]
    pruned = connection.sql(f"SELECT count(*) FROM delta_scan('file://{table}') WHERE id >= 3000").fetchone()[0]
    return summary(rows) | {"pruned": pruned}


def polars(table):
    import polars as library

    scanned = library.scan_delta(table)
    pruned = scanned.filter(library.col("id") >= 3000).select(library.len()).collect().item()
    rows = scanned.collect().to_dicts()
    return summary(rows) | {"pruned": pruned}


def summary(rows):
    """What all readers must agree on; maps come as dicts, or as lists of pairs."""

    def entries(value):
        if value is None:
            return None
        if isinstance(value, dict):
            return value
        pairs = [(pair["key"], pair["value"]) if isinstance(pair, dict) else pair for pair in value]
        return dict(pairs)

    ordered = sorted(rows, key=lambda row: row["id"])
    first = ordered[0]
    return {
        "rows": len(ordered),
        "sum": sum(row["id"] for row in ordered),
        "times": sum((row["time"].replace(tzinfo=timezone.utc) - EPOCH) // timedelta(microseconds=1) for row in ordered),
        "first": {"service": first["service"], "attributes": entries(first["attributes"])},
        "without_service": sum(row["service"] is None for row in ordered),
    }


readers = {"deltalake": deltalake, "duckdb": duckdb, "polars": polars}
asked = sys.argv[2:] or list(readers)
print(json.dumps({name: readers[name](sys.argv[1]) for name in asked}))
