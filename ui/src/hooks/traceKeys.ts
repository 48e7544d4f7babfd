// The keys of the trace page.

import type { RefObject } from "react";
import type { Trace } from "../api/trace";
import { useShortcuts } from "./keys";
import { change } from "./location";
import type { useTraceSteps } from "./traceSteps";
import type { useTraceMoves, View } from "./traceView";

interface Ways {
  moves: ReturnType<typeof useTraceMoves>;
  steps: ReturnType<typeof useTraceSteps>;
  search: RefObject<HTMLInputElement | null>;
}

export function useTraceKeys(trace: Trace, view: View, { moves, steps, search }: Ways) {
  const { chosen, shape } = view;
  const { flip, folded } = moves;
  const { move, jump, narrow, left, asRoot } = steps;
  useShortcuts([
    { keys: "j", about: "Next span", run: () => move(1) },
    { keys: "k", about: "Previous span", run: () => move(-1) },
    { keys: "ArrowDown", about: "Next span", run: () => move(1) },
    { keys: "ArrowUp", about: "Previous span", run: () => move(-1) },
    { keys: "n", about: "Next failed span", run: () => jump(trace.errors, 1) },
    { keys: "p", about: "Previous failed span", run: () => jump(trace.errors, -1) },
    { keys: "ctrl+f", about: "Search in this trace", run: () => search.current?.select(), always: true },
    { keys: "Enter", about: "Fold or unfold", run: () => chosen >= 0 && flip(chosen) },
    { keys: "ArrowLeft", about: "Fold, or to the parent", run: left },
    { keys: "ArrowRight", about: "Unfold", run: () => chosen >= 0 && folded(chosen) && flip(chosen) },
    { keys: "r", about: "The span alone, with what is below it", run: asRoot },
    { keys: "c", about: "The critical path alone", run: () => change({ critical: shape.critical ? null : "1" }) },
    { keys: "+", about: "Zoom in", run: () => narrow(0.5) },
    { keys: "-", about: "Zoom out", run: () => narrow(2) },
    { keys: "0", about: "All of the trace", run: () => change({ zoom: null, root: null }) },
    { keys: "1", about: "Waterfall", run: () => change({ view: null }) },
    { keys: "2", about: "Flamegraph", run: () => change({ view: "flame" }) },
    { keys: "3", about: "Table by operation", run: () => change({ view: "table" }) },
    { keys: "4", about: "Log lines", run: () => change({ view: "lines" }) },
    { keys: "Escape", about: "Close the span", run: () => change({ span: null }) },
  ]);
}
