// Rate, errors and durations by service, operation, version or any attribute.

import { ask } from "./http";
import { flag, gaps, list, nullable, number, numbers, type Of, object, or, text } from "./shape";

export const range = object({ start: nullable(text), end: nullable(text) });
export type Range = Of<typeof range>;

const steps = object({
  calls: numbers,
  errors: numbers,
  p50_ns: gaps,
  p95_ns: gaps,
  p99_ns: gaps,
});

const group = object({
  keys: list(nullable(text)),
  spans: number,
  calls: number,
  errors: number,
  rate: number,
  error_share: number,
  p50_ns: or(number, 0),
  p95_ns: or(number, 0),
  p99_ns: or(number, 0),
  max_ns: or(number, 0),
  steps: nullable(steps),
});

const red = object({
  range,
  start_ns: text,
  step_ns: number,
  steps: number,
  partial: flag,
  partial_because: or(list(text), []),
  weighted: flag,
  spans: number,
  groups: list(group),
  groups_left_out: or(number, 0),
});

export type Red = Of<typeof red>;
export type RedGroup = Of<typeof group>;
export type RedSteps = Of<typeof steps>;

export interface RedQuery {
  by: string;
  q?: string | undefined;
  service?: string | undefined;
  operation?: string | undefined;
  from?: string | undefined;
  to?: string | undefined;
  steps?: number;
  limit?: number;
}

export function fetchRed(query: RedQuery, signal?: AbortSignal): Promise<Red> {
  return ask("/api/v1/red", red, { params: { ...query }, signal });
}
