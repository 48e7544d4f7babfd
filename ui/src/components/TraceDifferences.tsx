// Two traces by operation: what one does more often or longer than the other.

import { useMemo } from "react";
import type { Trace } from "../api/trace";
import { duration } from "../format/duration";
import { count } from "../format/number";
import { byOperation, type OperationRow } from "../hooks/callTree";
import { Duration, name, ServiceName } from "./Names";
import { type Column, SortedTable } from "./SortedTable";

interface Row {
  id: string;
  service: string;
  operation: string;
  a: OperationRow | undefined;
  b: OperationRow | undefined;
  self: number;
}

export function pairs(a: Trace, b: Trace): Row[] {
  const rows = new Map<string, Row>();
  for (const [side, trace] of [
    ["a", a],
    ["b", b],
  ] as const) {
    for (const one of byOperation(trace)) {
      const id = `${one.service}\n${one.operation}`;
      const row = rows.get(id) ?? {
        id,
        service: one.service,
        operation: one.operation,
        a: undefined,
        b: undefined,
        self: 0,
      };
      row[side] = one;
      rows.set(id, row);
    }
  }
  for (const row of rows.values()) row.self = (row.b?.self ?? 0) - (row.a?.self ?? 0);
  return [...rows.values()];
}

const signed = (ns: number) => `${ns > 0 ? "+" : ns < 0 ? "−" : "±"}${duration(Math.abs(ns))}`;

export function TraceDifferences({ a, b }: { a: Trace; b: Trace }) {
  const rows = useMemo(() => pairs(a, b), [a, b]);
  const most = useMemo(() => rows.reduce((max, row) => Math.max(max, Math.abs(row.self)), 1), [rows]);
  const columns: Column<Row>[] = [
    {
      key: "service",
      title: "Service",
      cell: (row) => <ServiceName service={row.service} />,
      value: (row) => row.service,
    },
    {
      key: "operation",
      title: "Operation",
      cell: (row) => name(row.operation),
      value: (row) => row.operation,
      wide: true,
    },
    {
      key: "only",
      title: "",
      cell: (row) =>
        !row.a ? <span className="chip">only in B</span> : !row.b ? <span className="chip">only in A</span> : null,
    },
    {
      key: "spans",
      title: "Spans A → B",
      right: true,
      cell: (row) => <Pair a={count(row.a?.spans ?? 0)} b={count(row.b?.spans ?? 0)} />,
      value: (row) => (row.b?.spans ?? 0) - (row.a?.spans ?? 0),
    },
    {
      key: "errors",
      title: "Failed A → B",
      right: true,
      cell: (row) => (
        <Pair
          a={count(row.a?.errors ?? 0)}
          b={count(row.b?.errors ?? 0)}
          alarm={(row.b?.errors ?? 0) > (row.a?.errors ?? 0)}
        />
      ),
      value: (row) => (row.b?.errors ?? 0) - (row.a?.errors ?? 0),
    },
    {
      key: "a",
      title: "Own in A",
      right: true,
      cell: (row) => (row.a ? <Duration ns={row.a.self} /> : "–"),
      value: (row) => row.a?.self ?? 0,
    },
    {
      key: "b",
      title: "Own in B",
      right: true,
      cell: (row) => (row.b ? <Duration ns={row.b.self} /> : "–"),
      value: (row) => row.b?.self ?? 0,
    },
    {
      key: "difference",
      title: "Difference",
      right: true,
      cell: (row) => signed(row.self),
      value: (row) => Math.abs(row.self),
    },
    {
      key: "bar",
      title: "less · more in B",
      cell: (row) => {
        const width = (Math.abs(row.self) / most) * 60;
        return (
          <span style={{ display: "block", width: 124, position: "relative", height: 10 }}>
            <span
              style={{
                position: "absolute",
                left: 61,
                top: -4,
                bottom: -4,
                width: 1,
                background: "var(--line-strong)",
              }}
            />
            <span
              className="share"
              style={{
                position: "absolute",
                top: 1,
                width,
                left: row.self < 0 ? 61 - width : 62,
                background: row.self < 0 ? "var(--line-strong)" : "var(--water)",
              }}
            />
          </span>
        );
      },
    },
  ];
  return (
    <SortedTable
      param="sort"
      label="Operations of both"
      columns={columns}
      rows={rows}
      id={(row) => row.id}
      sorted="-difference"
      keys
    />
  );
}

function Pair({ a, b, alarm = false }: { a: string; b: string; alarm?: boolean }) {
  if (a === b) return <span className="dim">{a}</span>;
  return (
    <span>
      {a} → <b className={alarm ? "error" : ""}>{b}</b>
    </span>
  );
}
