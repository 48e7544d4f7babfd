// Which rows of a trace are shown: what is folded is skipped by its number of descendants, without an object per row.

import { Flag, type Trace } from "../api/trace";

export interface Shape {
  /** Rows at this depth are folded; 0: none by depth. */
  depth: number;
  /** Spans whose folding is the other way round than the depth says. */
  flipped: ReadonlySet<number>;
  /** Services whose spans are folded. */
  services: ReadonlySet<number>;
  /** Only this row and what is below it; -1: all. */
  root: number;
  /** Only rows on the critical path. */
  critical: boolean;
}

/** Indexes into the window's columns, in order. */
export function visibleRows(trace: Trace, shape: Shape): Int32Array {
  const from = Math.max(shape.root, 0);
  const end = shape.root >= 0 ? Math.min(trace.rows, from + trace.descendants[from]! + 1) : trace.rows;
  const rows = new Int32Array(Math.max(0, end - from));
  let count = 0;
  for (let row = from; row < end; ) {
    if (!shape.critical || trace.flags[row]! & Flag.CriticalPath) {
      rows[count] = row;
      count += 1;
    }
    row += isFolded(trace, row, shape) ? trace.descendants[row]! + 1 : 1;
  }
  return rows.slice(0, count);
}

export function isFolded(trace: Trace, row: number, shape: Shape): boolean {
  if (trace.descendants[row] === 0) return false;
  const byDepth =
    shape.depth > 0 && trace.depth[row]! + 1 >= shape.depth + (shape.root >= 0 ? trace.depth[shape.root]! : 0);
  const folded = byDepth || shape.services.has(trace.service[row]!);
  return shape.flipped.has(row) ? !folded : folded;
}

/** Where a row is among the visible ones, or the one that hides it; -1 before the first. */
export function placeOf(rows: Int32Array, row: number): number {
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (rows[middle]! <= row) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Folded rows above a row, which must be opened to see it. */
export function foldedAbove(trace: Trace, row: number, shape: Shape): number[] {
  const above: number[] = [];
  // A circle cannot be longer than there are rows.
  for (
    let at = trace.parent[row]! - trace.first, steps = 0;
    at >= 0 && at < trace.rows && steps < trace.rows;
    steps += 1
  ) {
    if (isFolded(trace, at, shape)) above.push(at);
    at = trace.parent[at]! - trace.first;
  }
  return above;
}

/** The next of some sorted rows after (or before) one; around the end. */
export function nextOf(sorted: readonly number[], row: number, step: 1 | -1): number | null {
  if (sorted.length === 0) return null;
  if (step === 1) return sorted.find((one) => one > row) ?? sorted[0]!;
  return sorted.findLast((one) => one < row) ?? sorted.at(-1)!;
}

/** Spans below a row that failed: what a folded row hides. */
export function errorsBelow(errors: readonly number[], row: number, descendants: number): number {
  let [low, high] = [0, errors.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (errors[middle]! <= row) low = middle + 1;
    else high = middle;
  }
  let count = 0;
  for (let at = low; at < errors.length && errors[at]! <= row + descendants; at += 1) count += 1;
  return count;
}
