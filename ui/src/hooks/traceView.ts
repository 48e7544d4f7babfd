// A trace as its address says it is looked at: zoom, folding, chosen span, search. Every change is a change of the address.

import { useCallback, useMemo } from "react";
import { idOf, indexOf, type Trace } from "../api/trace";
import { change, useParam } from "./location";
import { foldedAbove, isFolded, type Shape, visibleRows } from "./traceRows";

/** Ids in the address are 17 characters each, and the server takes 16 KiB. */
const FLIPPED_MAX = 200;

export interface View {
  shape: Shape;
  rows: Int32Array;
  /** The chosen span's row; -1: none. */
  chosen: number;
  /** What the width shows: offsets in ns. */
  from: number;
  to: number;
}

export function useTraceView(trace: Trace): View {
  const [fold, depth, without, rootId, spanId, zoom, critical] = [
    useParam("fold"),
    useParam("depth"),
    useParam("foldsvc"),
    useParam("root"),
    useParam("span"),
    useParam("zoom"),
    useParam("critical"),
  ];
  const shape = useMemo<Shape>(() => {
    const flipped = new Set<number>();
    for (const id of fold.split(".").slice(0, FLIPPED_MAX)) {
      const row = indexOf(trace, id);
      if (row >= 0) flipped.add(row);
    }
    const names = without === "" ? [] : without.split("\n");
    const services = new Set(names.map((name) => trace.services.findIndex((one) => one.name === name)));
    return {
      depth: /^\d{1,4}$/.test(depth) ? Number(depth) : 0,
      flipped,
      services,
      root: indexOf(trace, rootId),
      critical: critical === "1",
    };
  }, [trace, fold, depth, without, rootId, critical]);
  const rows = useMemo(() => visibleRows(trace, shape), [trace, shape]);
  const chosen = useMemo(() => indexOf(trace, spanId), [trace, spanId]);
  const [from, to] = useMemo(() => {
    const match = /^(-?\d{1,18})~(-?\d{1,18})$/.exec(zoom);
    if (match && Number(match[2]) > Number(match[1])) return [Number(match[1]), Number(match[2])];
    if (shape.root >= 0) {
      const start = trace.start[shape.root]!;
      return [start, start + Math.max(1, trace.duration[shape.root]!)];
    }
    return [0, Math.max(1, trace.duration_ns)];
  }, [trace, zoom, shape.root]);
  return useMemo(() => ({ shape, rows, chosen, from, to }), [shape, rows, chosen, from, to]);
}

export function useTraceMoves(trace: Trace, view: View) {
  const { shape } = view;
  const foldText = useCallback(
    (flipped: Iterable<number>) =>
      [...flipped]
        .slice(-FLIPPED_MAX)
        .map((row) => idOf(trace, row))
        .join("."),
    [trace],
  );
  const flip = useCallback(
    (row: number) => {
      if (trace.descendants[row] === 0) return;
      const flipped = new Set(shape.flipped);
      if (!flipped.delete(row)) flipped.add(row);
      change({ fold: foldText(flipped) }, true);
    },
    [trace, shape, foldText],
  );
  /** Chooses a span, and opens what hides it. `quiet`: a key that may repeat, no step for Back. */
  const choose = useCallback(
    (row: number, quiet: boolean) => {
      const hiding = foldedAbove(trace, row, shape);
      const flipped = new Set(shape.flipped);
      for (const above of hiding) if (!flipped.delete(above)) flipped.add(above);
      const within = shape.root < 0 || (row >= shape.root && row <= shape.root + trace.descendants[shape.root]!);
      change(
        {
          span: idOf(trace, row),
          ...(hiding.length > 0 ? { fold: foldText(flipped) } : {}),
          ...(within ? {} : { root: null, zoom: null }),
        },
        quiet,
      );
    },
    [trace, shape, foldText],
  );
  const zoom = useCallback(
    (from: number, to: number) =>
      change({ zoom: to > from ? `${Math.round(from)}~${Math.max(Math.round(to), Math.round(from) + 1)}` : null }),
    [],
  );
  const folded = useCallback((row: number) => isFolded(trace, row, shape), [trace, shape]);
  return { flip, choose, zoom, folded };
}
