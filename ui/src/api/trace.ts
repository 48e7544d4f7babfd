// A trace as columns: typed arrays, a row per span in the waterfall's order, no object per span.

import { ask } from "./http";
import { flag, list, nullable, number, numbers, type Of, object, or, text } from "./shape";

/** Bits of a row's flags. */
export const Flag = {
  CriticalPath: 1,
  Pending: 2,
  ParentMissing: 4,
  IdShared: 8,
  OutsideParent: 16,
  Events: 32,
  Links: 64,
  Lines: 128,
  Exception: 256,
  Circle: 512,
  NoEnd: 1024,
} as const;

const service = object({
  name: text,
  spans: or(number, 0),
  errors: or(number, 0),
  self_ns: or(number, 0),
  critical_ns: or(number, 0),
});

const overview = object({ row: numbers, start: numbers, duration: numbers, service: numbers, status: numbers });

const answer = object({
  trace_id: text,
  start_ns: text,
  duration_ns: number,
  spans: number,
  row: number,
  rows: number,
  partial: flag,
  partial_because: or(list(text), []),
  is_damaged: or(flag, false),
  spans_left_out: or(number, 0),
  state: or(text, "kept"),
  policy: nullable(text),
  adjusted_count: or(number, 1),
  services: list(service),
  operations: list(text),
  roots: or(numbers, []),
  errors: or(numbers, []),
  errors_left_out: or(number, 0),
  depth_max: or(number, 0),
  columns: object({
    id: text,
    parent: numbers,
    depth: numbers,
    descendants: numbers,
    service: numbers,
    operation: numbers,
    start: numbers,
    duration: numbers,
    self: numbers,
    critical: numbers,
    kind: numbers,
    status: numbers,
    flags: numbers,
  }),
  logs: object({ row: numbers, time: numbers, severity: numbers, text: list(text) }),
  logs_left_out: or(number, 0),
  overview: nullable(overview),
});

type Answer = Of<typeof answer>;

/** The rows `first` to `first + rows` of a trace. Row numbers are of the whole trace, indexes into columns of this window. */
export interface Trace extends Omit<Answer, "columns" | "row" | "logs"> {
  first: number;
  ids: string;
  parent: Int32Array;
  depth: Uint16Array;
  descendants: Int32Array;
  service: Uint16Array;
  operation: Uint32Array;
  start: Float64Array;
  duration: Float64Array;
  self: Float64Array;
  critical: Float64Array;
  kind: Uint8Array;
  status: Uint8Array;
  flags: Uint16Array;
  lines: { row: number[]; time: number[]; severity: number[]; text: string[] };
}

/** Columns of a window; a list that is shorter than others ends it. */
export function traceOf(given: Answer): Trace {
  const { columns, row, logs, ...rest } = given;
  const rows = Math.min(
    Math.floor(columns.id.length / 16),
    ...Object.values(columns)
      .slice(1)
      .map((one) => one.length),
  );
  return {
    ...rest,
    first: row,
    rows,
    ids: columns.id,
    parent: Int32Array.from(columns.parent),
    depth: Uint16Array.from(columns.depth),
    descendants: Int32Array.from(columns.descendants),
    service: Uint16Array.from(columns.service),
    operation: Uint32Array.from(columns.operation),
    start: Float64Array.from(columns.start),
    duration: Float64Array.from(columns.duration),
    self: Float64Array.from(columns.self),
    critical: Float64Array.from(columns.critical),
    kind: Uint8Array.from(columns.kind),
    status: Uint8Array.from(columns.status),
    flags: Uint16Array.from(columns.flags),
    lines: logs,
  };
}

export function idOf(trace: Trace, index: number): string {
  return trace.ids.slice(index * 16, index * 16 + 16);
}

/** The index of a span in this window; -1 when it is not in it. */
export function indexOf(trace: Trace, id: string): number {
  if (!/^[0-9a-f]{16}$/.test(id)) return -1;
  // Ids lie one behind another: a find may begin within one.
  for (let at = trace.ids.indexOf(id); at >= 0; at = trace.ids.indexOf(id, at + 1)) {
    if (at % 16 === 0) return at / 16;
  }
  return -1;
}

/** Rows of a window that is jumped to. What fits into the first one needs no jump. */
const JUMP_ROWS = 20_000;

export async function fetchTrace(id: string, row: number, signal?: AbortSignal): Promise<Trace> {
  const path = `/api/v1/trace/${encodeURIComponent(id)}/columns`;
  const window = row > 0 ? { row, rows: JUMP_ROWS } : {};
  return traceOf(await ask(path, answer, { params: window, signal }));
}

const matches = object({ matches: numbers, matches_left_out: or(number, 0), partial: flag });
export type Matches = Of<typeof matches>;

/** Rows with a text anywhere in their names, attributes, events or lines. */
export function findInTrace(id: string, q: string, signal?: AbortSignal): Promise<Matches> {
  return ask(`/api/v1/trace/${encodeURIComponent(id)}/find`, matches, { params: { q }, signal });
}
