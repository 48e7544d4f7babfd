// Ways through a trace: to the next span, the next failure, a row in another window, nearer, or up to the parent.

import { useState } from "react";
import { idOf, type Trace } from "../api/trace";
import { change } from "./location";
import { nextOf, placeOf } from "./traceRows";
import type { useTraceMoves, View } from "./traceView";

/** Rows above one that is jumped to: it is in sight when its window opens. */
const LEAD = 10;

export function useTraceSteps(trace: Trace, view: View, moves: ReturnType<typeof useTraceMoves>) {
  const { flip, choose, zoom, folded } = moves;
  const { rows, chosen } = view;
  const [reveal, setReveal] = useState(0);
  const [sight, setSight] = useState<{ row: number } | null>(null);

  /** Chooses a row of this window and brings it into sight. */
  const show = (index: number, quiet: boolean) => {
    choose(index, quiet);
    setReveal((before) => before + 1);
  };
  /** To a row of the whole trace, which may be in another window. */
  const goto = (row: number, quiet = false) => {
    const index = row - trace.first;
    if (index >= 0 && index < trace.rows) show(index, quiet);
    else change({ row, span: null, fold: null });
  };
  /** Brings a row of the whole trace into sight; from another window, that window. */
  const see = (row: number) => {
    const index = row - trace.first;
    if (index >= 0 && index < trace.rows) setSight({ row: index });
    else change({ row: Math.max(0, row - LEAD) || null, span: null, fold: null });
  };
  /** To the next of some rows of the whole trace. */
  const jump = (list: readonly number[], step: 1 | -1) => {
    const next = nextOf(list, chosen >= 0 ? chosen + trace.first : step === 1 ? -1 : trace.spans, step);
    if (next !== null) goto(next, true);
  };
  const move = (step: number) => {
    if (rows.length === 0) return;
    const place = chosen < 0 ? (step > 0 ? 0 : rows.length - 1) : placeOf(rows, chosen) + step;
    show(rows[Math.max(0, Math.min(rows.length - 1, place))]!, true);
  };
  /** Shows less of the time, around the chosen span. */
  const narrow = (factor: number) => {
    const middle = chosen >= 0 ? trace.start[chosen]! + trace.duration[chosen]! / 2 : (view.from + view.to) / 2;
    const half = ((view.to - view.from) / 2) * factor;
    const [from, to] = [Math.max(0, middle - half), Math.min(trace.duration_ns, middle + half)];
    zoom(...((from <= 0 && to >= trace.duration_ns ? [0, 0] : [from, to]) as [number, number]));
  };
  /** The chosen span alone, with what is below it. */
  const asRoot = () => chosen >= 0 && change({ root: idOf(trace, chosen), zoom: null });
  const left = () => {
    if (chosen < 0) return;
    if (trace.descendants[chosen]! > 0 && !folded(chosen)) return flip(chosen);
    const parent = trace.parent[chosen]!;
    if (parent >= 0) goto(parent, true);
  };
  return { reveal, sight, show, goto, see, jump, move, narrow, left, asRoot };
}
