// A trace by operation: how often, how long, how much of it its own.

import { useMemo } from "react";
import type { Trace } from "../api/trace";
import { count, percent } from "../format/number";
import { byOperation, type OperationRow } from "../hooks/callTree";
import { Duration, name, ServiceName } from "./Names";
import { type Column, SortedTable } from "./SortedTable";

export function OperationTable({
  trace,
  colors,
  choose,
}: {
  trace: Trace;
  colors: readonly string[];
  choose: (row: number) => void;
}) {
  const rows = useMemo(() => byOperation(trace), [trace]);
  const self = useMemo(() => rows.reduce((sum, row) => sum + row.self, 0) || 1, [rows]);
  const columns: Column<OperationRow>[] = [
    {
      key: "service",
      title: "Service",
      cell: (row) => <ServiceName service={row.service} color={colors[row.serviceIndex] ?? "#888"} />,
      value: (row) => row.service,
    },
    {
      key: "operation",
      title: "Operation",
      cell: (row) => (
        <button
          type="button"
          className="button quiet"
          style={{ padding: 0, maxWidth: "100%" }}
          onClick={() => choose(row.row)}
          title="The longest of them"
        >
          <span className="cut">{name(row.operation)}</span>
        </button>
      ),
      value: (row) => row.operation,
      wide: true,
    },
    { key: "spans", title: "Spans", right: true, cell: (row) => count(row.spans), value: (row) => row.spans },
    {
      key: "errors",
      title: "Failed",
      right: true,
      cell: (row) => <span className={row.errors > 0 ? "error" : "dim"}>{count(row.errors)}</span>,
      value: (row) => row.errors,
    },
    {
      key: "total",
      title: "Total",
      right: true,
      cell: (row) => <Duration ns={row.total} />,
      value: (row) => row.total,
    },
    { key: "self", title: "Own", right: true, cell: (row) => <Duration ns={row.self} />, value: (row) => row.self },
    {
      key: "share",
      title: "Share of own",
      cell: (row) => (
        <>
          <span className="share" style={{ width: `${(row.self / self) * 80}px` }} />{" "}
          <span className="dim">{percent(row.self / self)}</span>
        </>
      ),
    },
    {
      key: "critical",
      title: "Critical path",
      right: true,
      cell: (row) => <Duration ns={row.critical} />,
      value: (row) => row.critical,
    },
    {
      key: "longest",
      title: "Longest",
      right: true,
      cell: (row) => <Duration ns={row.longest} />,
      value: (row) => row.longest,
    },
  ];
  return (
    <div className="lines">
      <SortedTable
        param="ops"
        label="Operations"
        columns={columns}
        rows={rows}
        id={(row) => `${row.service}\n${row.operation}`}
        sorted="-self"
      />
    </div>
  );
}
