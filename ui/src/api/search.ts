// Traces in brief, newest first, a page at a time.

import { ask } from "./http";
import { range } from "./red";
import { flag, list, nullable, number, type Of, object, or, text } from "./shape";

const summary = object({
  trace_id: text,
  start_ns: text,
  duration_ns: number,
  spans: number,
  errors: number,
  root: nullable(object({ service: text, operation: text, span_id: or(text, "") })),
  services: list(object({ name: text, spans: number, errors: number })),
  services_left_out: or(number, 0),
  state: text,
  policy: nullable(text),
  adjusted_count: or(number, 1),
  matched: nullable(
    object({ span_id: text, service: text, operation: text, start_ns: text, duration_ns: number, status: text }),
  ),
  is_whole: or(flag, true),
});

const page = object({
  range,
  partial: flag,
  partial_because: or(list(text), []),
  cursor: nullable(text),
  traces: list(summary),
});

export type Summary = Of<typeof summary>;
export type SearchPage = Of<typeof page>;

export interface SearchQuery {
  q?: string | undefined;
  service?: string | undefined;
  operation?: string | undefined;
  from?: string | undefined;
  to?: string | undefined;
  limit?: number;
  cursor?: string | undefined;
}

export function search(query: SearchQuery, signal?: AbortSignal): Promise<SearchPage> {
  return ask("/api/v1/search", page, { params: { ...query }, signal });
}
