// What is different between two selections of spans, attribute by attribute.

import { ask, type Params } from "./http";
import { anything, flag, list, number, type Of, object, or, text } from "./shape";

const side = object({
  spans: number,
  calls: number,
  errors: number,
  p50_ns: or(number, Number.NaN),
  p95_ns: or(number, Number.NaN),
  p99_ns: or(number, Number.NaN),
});

const attribute = object({
  key: text,
  score: number,
  values: list(
    object({ value: anything, a_share: number, b_share: number, a_spans: or(number, 0), b_spans: or(number, 0) }),
  ),
});

const answer = object({
  a: side,
  b: side,
  partial: flag,
  partial_because: or(list(text), []),
  weighted: flag,
  enough: or(flag, true),
  attributes: list(attribute),
  left_out: or(object({ ids: or(list(text), []), noise: or(number, 0) }), { ids: [], noise: 0 }),
});

export type Differences = Of<typeof answer>;
export type Side = Of<typeof side>;

export function fetchDifferences(params: Params, signal?: AbortSignal): Promise<Differences> {
  return ask("/api/v1/differences", answer, { params, signal });
}
