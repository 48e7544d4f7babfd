// A trace's spans merged by their path of calls, for the flamegraph; and by operation, for the table.

import { Flag, type Trace } from "../api/trace";

export interface CallNode {
  service: number;
  operation: number;
  /** Sum of durations, and of own times. */
  total: number;
  self: number;
  critical: number;
  spans: number;
  errors: number;
  children: Map<number, CallNode>;
  /** Any of the merged spans, to look at. */
  row: number;
}

/** Deeper paths end here. */
const DEPTH_MAX = 200;

function node(trace: Trace, row: number): CallNode {
  const [service, operation] = [trace.service[row]!, trace.operation[row]!];
  return { service, operation, total: 0, self: 0, critical: 0, spans: 0, errors: 0, children: new Map(), row };
}

/** `from` to `end`: rows of one subtree, or all. */
export function callTree(trace: Trace, from: number, end: number): CallNode {
  const root = node(trace, from);
  root.service = -1;
  const path: CallNode[] = [root];
  const base = trace.depth[from] ?? 0;
  for (let row = from; row < end; row += 1) {
    const depth = Math.min(DEPTH_MAX, Math.max(0, trace.depth[row]! - base));
    const parent = path[Math.min(depth, path.length - 1)]!;
    const key = trace.service[row]! * 0x1000000 + trace.operation[row]!;
    let child = parent.children.get(key);
    if (!child) {
      child = node(trace, row);
      parent.children.set(key, child);
    }
    child.total += trace.duration[row]!;
    child.self += trace.self[row]!;
    child.critical += trace.critical[row]!;
    child.spans += 1;
    child.errors += trace.status[row] === 2 ? 1 : 0;
    path.length = Math.min(depth, path.length - 1) + 1;
    path.push(child);
    if (depth === 0) root.total += trace.duration[row]!;
  }
  return root;
}

export interface OperationRow {
  service: string;
  serviceIndex: number;
  operation: string;
  spans: number;
  errors: number;
  total: number;
  self: number;
  critical: number;
  longest: number;
  /** The row of the longest. */
  row: number;
}

export function byOperation(trace: Trace): OperationRow[] {
  const found = new Map<number, OperationRow>();
  for (let row = 0; row < trace.rows; row += 1) {
    const key = trace.service[row]! * 0x1000000 + trace.operation[row]!;
    let one = found.get(key);
    if (!one) {
      const serviceIndex = trace.service[row]!;
      const [service, operation] = [
        trace.services[serviceIndex]?.name ?? "",
        trace.operations[trace.operation[row]!] ?? "",
      ];
      one = { service, serviceIndex, operation, spans: 0, errors: 0, total: 0, self: 0, critical: 0, longest: -1, row };
      found.set(key, one);
    }
    one.spans += 1;
    one.errors += trace.status[row] === 2 ? 1 : 0;
    one.total += trace.duration[row]!;
    one.self += trace.self[row]!;
    one.critical += trace.flags[row]! & Flag.CriticalPath ? trace.critical[row]! : 0;
    if (trace.duration[row]! > one.longest) {
      one.longest = trace.duration[row]!;
      one.row = row;
    }
  }
  return [...found.values()];
}
