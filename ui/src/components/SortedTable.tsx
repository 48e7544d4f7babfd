// A table whose columns sort, with its state in the address; j, k and Enter move and open.

import { type ReactNode, useEffect, useMemo, useRef, useState } from "react";
import { useShortcuts } from "../hooks/keys";
import { change, go, useParam } from "../hooks/location";

export interface Column<T> {
  key: string;
  title: ReactNode;
  /** Of the header, for those who want to know. */
  about?: string;
  cell: (row: T) => ReactNode;
  /** What it sorts by; without it, it does not. */
  value?: (row: T) => number | string;
  right?: boolean;
  wide?: boolean;
}

/** Rows that each click shows beside those there are. */
const MORE_ROWS = 500;

interface Props<T> {
  /** The parameter that names the column: several tables may be on a page. */
  param: string;
  label: string;
  columns: readonly Column<T>[];
  rows: readonly T[];
  id: (row: T) => string;
  /** Where Enter goes. */
  open?: (row: T) => string;
  /** `-calls`: by calls, largest first. */
  sorted: string;
  /** Whether j and k move here. */
  keys?: boolean;
  rowsMax?: number;
}

export function SortedTable<T>({
  param,
  label,
  columns,
  rows,
  id,
  open,
  sorted,
  keys = false,
  rowsMax = 200,
}: Props<T>) {
  const wanted = useParam(param) || sorted;
  const [at, setAt] = useState(-1);
  const [more, setMore] = useState(0);
  const down = wanted.startsWith("-");
  const by = columns.find(({ key, value }) => value && key === wanted.replace(/^-/, ""));
  const ordered = useMemo(() => {
    const value = by?.value;
    if (!value) return rows;
    const sign = down ? -1 : 1;
    return [...rows].sort((one, other) => {
      const [a, b] = [value(one), value(other)];
      return sign * (typeof a === "string" || typeof b === "string" ? String(a).localeCompare(String(b)) : a - b);
    });
  }, [rows, by, down]);
  const shown = ordered.slice(0, rowsMax + more);
  const body = useRef<HTMLTableSectionElement>(null);
  useEffect(() => {
    if (at >= 0) body.current?.children[at]?.scrollIntoView({ block: "nearest" });
  }, [at]);
  const move = (step: number) => setAt((before) => Math.max(0, Math.min(shown.length - 1, before + step)));
  useShortcuts(
    keys
      ? [
          { keys: "j", about: "Next row", run: () => move(1) },
          { keys: "k", about: "Previous row", run: () => move(-1) },
          { keys: "Enter", about: "Open the row", run: () => shown[at] && open && go(open(shown[at])) },
        ]
      : [],
  );
  const sortBy = (column: Column<T>) => {
    const first = typeof (rows[0] && column.value?.(rows[0])) === "string" ? column.key : `-${column.key}`;
    const next = wanted === first ? (first.startsWith("-") ? column.key : `-${column.key}`) : first;
    change({ [param]: next === sorted ? null : next }, true);
  };
  return (
    <>
      <table className="table" aria-label={label}>
        <thead>
          <tr>
            {columns.map((column) => (
              <th
                key={column.key}
                className={column.right ? "right" : undefined}
                title={column.about}
                {...(by?.key === column.key
                  ? { "aria-sort": down ? ("descending" as const) : ("ascending" as const) }
                  : {})}
              >
                {column.value ? (
                  <button type="button" onClick={() => sortBy(column)}>
                    {column.title}
                    {by?.key === column.key && (down ? " ↓" : " ↑")}
                  </button>
                ) : (
                  column.title
                )}
              </th>
            ))}
          </tr>
        </thead>
        <tbody ref={body}>
          {shown.map((row, index) => (
            <tr key={id(row)} aria-selected={index === at}>
              {columns.map((column) => (
                <td key={column.key} className={`${column.right ? "right" : ""} ${column.wide ? "wide" : ""}`}>
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {ordered.length > shown.length && (
        <p style={{ padding: 8 }}>
          <button type="button" className="button" onClick={() => setMore((before) => before + MORE_ROWS)}>
            {Math.min(MORE_ROWS, ordered.length - shown.length)} more of {ordered.length}
          </button>
        </p>
      )}
    </>
  );
}
