// One span in full: attributes, events, links, log lines.

import { ask } from "./http";
import { anything, flag, list, nullable, number, type Of, object, or, record, text } from "./shape";

/** OTLP's AnyValue: an object with one key. */
const anyValue = or(record(anything), {});
const attributes = or(list(object({ key: text, value: anyValue })), []);
export type Attribute = Of<typeof attributes>[number];

const event = object({ timeUnixNano: or(text, "0"), name: or(text, ""), attributes });
const link = object({ traceId: or(text, ""), spanId: or(text, ""), attributes });
const line = object({
  timeUnixNano: or(text, "0"),
  observedTimeUnixNano: or(text, "0"),
  severityNumber: or(number, 0),
  severityText: or(text, ""),
  body: anyValue,
  attributes,
});

const otlp = object({
  traceId: or(text, ""),
  spanId: or(text, ""),
  parentSpanId: or(text, ""),
  traceState: or(text, ""),
  name: or(text, ""),
  kind: or(number, 0),
  startTimeUnixNano: or(text, "0"),
  endTimeUnixNano: or(text, "0"),
  attributes,
  events: or(list(event), []),
  links: or(list(link), []),
  status: or(object({ code: or(number, 0), message: or(text, "") }), { code: 0, message: "" }),
  state: or(text, "kept"),
  adjustedCount: or(number, 1),
  selfTimeNs: or(text, "0"),
  criticalPathNs: or(text, "0"),
  logs: or(list(line), []),
});

const answer = object({
  trace_id: text,
  span_id: text,
  row: number,
  of_id: or(number, 1),
  service: text,
  span: otlp,
  resource: object({ attributes }),
  scope: or(object({ name: or(text, ""), version: or(text, ""), attributes }), {
    name: "",
    version: "",
    attributes: [],
  }),
  parent: nullable(object({ row: number, service: text, operation: text })),
  children: or(number, 0),
  linked_from: or(list(object({ span_id: text, row: number })), []),
  /** Keys of lines begin with `line.`. */
  cut: or(list(object({ key: text, bytes: number })), []),
  logs_left_out: or(number, 0),
  partial: or(flag, false),
  partial_because: or(list(text), []),
});

export type SpanAnswer = Of<typeof answer>;
export type SpanEvent = Of<typeof event>;

export function fetchSpan(trace: string, span: string, signal?: AbortSignal): Promise<SpanAnswer> {
  return ask(`/api/v1/trace/${encodeURIComponent(trace)}/spans/${encodeURIComponent(span)}`, answer, { signal });
}

/** A value of OTLP's JSON as a person reads it, with the type's name. */
export function shownValue(value: Record<string, unknown>): { text: string; type: string } {
  const [kind, inner] = Object.entries(value)[0] ?? ["", null];
  switch (kind) {
    case "stringValue":
      return { text: String(inner), type: "text" };
    case "intValue":
      return { text: String(inner), type: "int" };
    case "doubleValue":
      return { text: String(inner), type: "double" };
    case "boolValue":
      return { text: String(inner), type: "bool" };
    case "bytesValue":
      return { text: String(inner), type: "bytes" };
    case "":
      return { text: "", type: "empty" };
    default:
      return { text: JSON.stringify(plain(value)), type: kind === "arrayValue" ? "list" : "map" };
  }
}

function plain(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const [kind, inner] = Object.entries(value)[0] ?? ["", null];
  const values = (inner as { values?: unknown[] } | null)?.values ?? [];
  if (kind === "arrayValue") return values.map(plain);
  if (kind === "kvlistValue") {
    return Object.fromEntries((values as { key: string; value: unknown }[]).map((one) => [one.key, plain(one.value)]));
  }
  return inner;
}
