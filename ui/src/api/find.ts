// Where to go for anything that was pasted; or why there is nothing.

import { ask } from "./http";
import { list, nullable, type Of, object, or, text } from "./shape";

const place = object({
  kind: text,
  trace_id: or(text, ""),
  span_id: nullable(text),
  start_ns: nullable(text),
  service: nullable(text),
  operation: nullable(text),
  state: nullable(text),
  key: nullable(text),
  value: nullable(text),
  q: nullable(text),
});

const answer = object({
  read_as: or(text, "text"),
  places: list(place),
  nothing: nullable(object({ reason: text, policy: nullable(text), trace_id: nullable(text), message: text })),
});

export type Place = Of<typeof place>;
export type Found = Of<typeof answer>;

export function find(q: string, signal?: AbortSignal): Promise<Found> {
  return ask("/api/v1/find", answer, { params: { q }, signal });
}
