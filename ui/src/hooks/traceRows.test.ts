// Folding, searching and moving through a trace of typed arrays.

import { expect, it } from "vitest";
import { Flag, indexOf, type Trace, traceOf } from "../api/trace";
import { byOperation, callTree } from "./callTree";
import { errorsBelow, foldedAbove, nextOf, placeOf, type Shape, visibleRows } from "./traceRows";
import { warningsOf } from "./traceWarnings";

/** Rows as `depth service`: one under another. */
function drawn(rows: [number, number][]): Trace {
  const parent = rows.map(([depth], row) => {
    for (let above = row - 1; above >= 0; above -= 1) if (rows[above]![0] < depth) return above;
    return -1;
  });
  const descendants = rows.map(([depth], row) => {
    let count = 0;
    while (row + count + 1 < rows.length && rows[row + count + 1]![0] > depth) count += 1;
    return count;
  });
  const all = (value: number) => rows.map(() => value);
  return traceOf({
    trace_id: "ab",
    start_ns: "1",
    duration_ns: 100,
    spans: rows.length,
    row: 0,
    rows: rows.length,
    partial: false,
    partial_because: [],
    is_damaged: false,
    spans_left_out: 0,
    state: "kept",
    policy: null,
    adjusted_count: 1,
    services: [0, 1, 2].map((one) => ({ name: `s${one}`, spans: 1, errors: 0, self_ns: 1, critical_ns: 1 })),
    operations: ["op"],
    roots: [0],
    errors: [],
    errors_left_out: 0,
    depth_max: 9,
    columns: {
      id: rows.map((_, row) => (row + 1).toString(16).padStart(16, "0")).join(""),
      parent,
      depth: rows.map(([depth]) => depth),
      descendants,
      service: rows.map(([, service]) => service),
      operation: all(0),
      start: all(0),
      duration: all(10),
      self: all(2),
      critical: all(1),
      kind: all(1),
      status: all(0),
      flags: rows.map(([depth]) => (depth < 2 ? Flag.CriticalPath : 0)),
    },
    logs: { row: [], time: [], severity: [], text: [] },
    logs_left_out: 0,
    overview: null,
  });
}

const SHAPE: Shape = { depth: 0, flipped: new Set(), services: new Set(), root: -1, critical: false };
const trace = drawn([
  [0, 0],
  [1, 1],
  [2, 1],
  [3, 2],
  [1, 2],
  [2, 2],
]);
const shown = (shape: Partial<Shape>) => [...visibleRows(trace, { ...SHAPE, ...shape })];

it("folds by span, depth and service, and shows a subtree alone", () => {
  expect(shown({})).toEqual([0, 1, 2, 3, 4, 5]);
  expect(shown({ flipped: new Set([1]) })).toEqual([0, 1, 4, 5]);
  expect(shown({ depth: 1 })).toEqual([0]);
  expect(shown({ depth: 2 })).toEqual([0, 1, 4]);
  expect(shown({ depth: 2, flipped: new Set([1]) })).toEqual([0, 1, 2, 4]);
  expect(shown({ services: new Set([2]) })).toEqual([0, 1, 2, 3, 4]);
  expect(shown({ root: 1 })).toEqual([1, 2, 3]);
  expect(shown({ critical: true })).toEqual([0, 1, 4]);
});

it("finds rows, and what hides them", () => {
  const rows = visibleRows(trace, { ...SHAPE, flipped: new Set([1]) });
  expect([0, 1, 2, 3, 4].map((row) => placeOf(rows, row))).toEqual([0, 1, 1, 1, 2]);
  expect(foldedAbove(trace, 3, { ...SHAPE, flipped: new Set([1, 2]) })).toEqual([2, 1]);
  expect(nextOf([2, 5, 9], 5, 1)).toBe(9);
  expect(nextOf([2, 5, 9], 9, 1)).toBe(2);
  expect(nextOf([2, 5, 9], 2, -1)).toBe(9);
  expect(nextOf([], 2, 1)).toBeNull();
  expect(errorsBelow([1, 4, 6, 8], 3, 3)).toBe(2);
});

it("finds a span by its id only where an id begins", () => {
  expect(indexOf(trace, "0000000000000003")).toBe(2);
  expect(indexOf(trace, "0000000000000009")).toBe(-1);
  expect(indexOf(trace, "0000000000000100")).toBe(-1);
  expect(indexOf(trace, "x")).toBe(-1);
});

it("merges calls by path and by operation", () => {
  const root = callTree(trace, 0, trace.rows);
  expect(root.total).toBe(10);
  const [web] = [...root.children.values()];
  expect(web!.children.size).toBe(2);
  expect(byOperation(trace).map(({ service, spans, self }) => [service, spans, self])).toEqual([
    ["s0", 1, 2],
    ["s1", 2, 4],
    ["s2", 3, 6],
  ]);
});

it("says what is odd", () => {
  const odd = {
    ...trace,
    roots: [0, 4],
    flags: Uint16Array.from([Flag.ParentMissing, Flag.NoEnd, 0, 0, Flag.OutsideParent, 0]),
  };
  expect(warningsOf(trace)).toEqual([]);
  expect(warningsOf(odd)).toEqual([
    "1 span whose parent is not here",
    "2 roots",
    "1 span outside its parent's time: skewed clocks, or nobody waits for it",
    "1 span without an end",
  ]);
});

it("folds 50,000 rows within a frame", () => {
  const many = drawn([...Array(200).keys()].map((row) => [row % 20, row % 3] as [number, number]));
  const rows = 50_000;
  const large: Trace = {
    ...many,
    rows,
    depth: Uint16Array.from({ length: rows }, (_, row) => row % 20),
    descendants: Int32Array.from({ length: rows }, (_, row) => 19 - (row % 20)),
    service: new Uint16Array(rows),
    flags: new Uint16Array(rows),
  };
  visibleRows(large, SHAPE);
  const begin = performance.now();
  expect(visibleRows(large, { ...SHAPE, depth: 5 })).toHaveLength(12_500);
  expect(performance.now() - begin).toBeLessThan(17);
});
