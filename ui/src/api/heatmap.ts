// Calls by time and duration.

import { ask } from "./http";
import { flag, list, number, numbers, type Of, object, or, text } from "./shape";

const answer = object({
  start_ns: text,
  step_ns: number,
  steps: number,
  durations_ns: numbers,
  partial: flag,
  partial_because: or(list(text), []),
  weighted: flag,
  spans: number,
  cells: object({ step: numbers, row: numbers, calls: numbers, errors: numbers }),
});

export type Heatmap = Of<typeof answer>;

export interface HeatmapQuery {
  q?: string | undefined;
  service?: string | undefined;
  operation?: string | undefined;
  /** `entry`: servers, consumers and roots; `all`. */
  spans?: string;
  from?: string | undefined;
  to?: string | undefined;
  steps?: number;
  rows?: number;
}

export function fetchHeatmap(query: HeatmapQuery, signal?: AbortSignal): Promise<Heatmap> {
  return ask("/api/v1/heatmap", answer, { params: { ...query }, signal });
}
