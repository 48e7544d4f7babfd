// Where the time goes by path of calls: equal calls merged, as wide as they took long.

import { useMemo, useState } from "react";
import type { Trace } from "../api/trace";
import { duration } from "../format/duration";
import { count } from "../format/number";
import { type CallNode, callTree } from "../hooks/callTree";
import { useSize } from "../hooks/size";
import { name } from "./Names";

const LEVEL_PX = 20;
/** Narrower ones would not be seen. */
const WIDTH_MIN_PX = 1.5;
const NODES_MAX = 4000;

interface Placed {
  node: CallNode;
  left: number;
  width: number;
  level: number;
}

export function Flamegraph({
  trace,
  colors,
  root,
  choose,
}: {
  trace: Trace;
  colors: readonly string[];
  root: number;
  choose: (row: number) => void;
}) {
  const [box, { width }] = useSize();
  const tree = useMemo(
    () =>
      root >= 0
        ? callTree(trace, root, Math.min(trace.rows, root + trace.descendants[root]! + 1))
        : callTree(trace, 0, trace.rows),
    [trace, root],
  );
  const [zoomed, setZoomed] = useState<CallNode | null>(null);
  const placed = useMemo(() => place(zoomed ?? tree, width, zoomed !== null), [tree, zoomed, width]);
  const levels = placed.reduce((most, one) => Math.max(most, one.level + 1), 1);
  return (
    <div className="flame" style={{ padding: 8 }}>
      <div ref={box} />
      {zoomed && (
        <button type="button" className="button" onClick={() => setZoomed(null)} style={{ marginBottom: 4 }}>
          All of it
        </button>
      )}
      <div style={{ position: "relative", height: levels * LEVEL_PX }}>
        {placed.map(({ node, left, width: wide, level }) => {
          const service = trace.services[node.service]?.name ?? "";
          const operation = trace.operations[node.operation] ?? "";
          return (
            <button
              type="button"
              key={`${level} ${left.toFixed(2)} ${node.row}`}
              className={`flame-node ${node.errors > 0 ? "failing" : ""}`}
              style={{
                left,
                width: Math.max(1, wide - 1),
                top: level * LEVEL_PX,
                background: colors[node.service] ?? "#888",
              }}
              title={`${name(service)} · ${name(operation)}\n${count(node.spans)} spans, ${duration(node.total)}, ${duration(node.self)} of its own${node.errors > 0 ? `, ${node.errors} failed` : ""}`}
              onClick={() => setZoomed(node === zoomed ? null : node)}
              onDoubleClick={() => choose(node.row)}
            >
              {wide > 40 && `${name(service)} ${name(operation)}${node.spans > 1 ? ` ×${node.spans}` : ""}`}
            </button>
          );
        })}
      </div>
      <p className="dim" style={{ marginTop: 8 }}>
        Width is time, children within their parents' scale. Click to enlarge, double click for the span.
      </p>
    </div>
  );
}

/** Children that ran at the same time may be longer together than their parent: they are drawn to scale within it. */
export function place(tree: CallNode, width: number, withRoot: boolean): Placed[] {
  const placed: Placed[] = [];
  if (width <= 0) return placed;
  const put = (node: CallNode, left: number, wide: number, level: number) => {
    if (wide < WIDTH_MIN_PX || placed.length >= NODES_MAX) return;
    placed.push({ node, left, width: wide, level });
    putChildren(node, left, wide, level + 1);
  };
  const putChildren = (node: CallNode, left: number, wide: number, level: number) => {
    const children = [...node.children.values()].sort((one, other) => other.total - one.total);
    const sum = children.reduce((total, child) => total + child.total, 0);
    const whole = Math.max(node.total, sum, 1);
    let at = left;
    for (const child of children) {
      const part = (child.total / whole) * wide;
      put(child, at, part, level);
      at += part;
    }
  };
  if (withRoot) put(tree, 0, width, 0);
  else putChildren(tree, 0, width, 0);
  return placed;
}
