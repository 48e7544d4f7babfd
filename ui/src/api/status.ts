// The server's state, its ledger, its sampling.

import { ask } from "./http";
import { flag, list, nullable, number, type Of, object, or, record, text } from "./shape";

const status = object({
  version: text,
  now_ns: text,
  started_ns: nullable(text),
  ready: flag,
  not_ready_because: nullable(text),
  receivers: or(list(object({ protocol: text, endpoint: text })), []),
  signals: or(
    list(
      object({
        signal: text,
        journal: nullable(object({ bytes: number, files: number })),
        head: nullable(object({ items: number, bytes: or(number, 0) })),
        segments: nullable(
          object({ count: number, bytes: number, rows: number, oldest_ns: nullable(text), newest_ns: nullable(text) }),
        ),
      }),
    ),
    [],
  ),
  disk: nullable(
    object({
      path: text,
      used_bytes: nullable(number),
      size_max_bytes: nullable(number),
      free_bytes: nullable(number),
      total_bytes: nullable(number),
    }),
  ),
  /** Seconds by signal; null is for ever. */
  retention_s: or(record(nullable(number)), {}),
  process: nullable(object({ memory_bytes: nullable(number), cpu_seconds: nullable(number) })),
  configuration: nullable(text),
});

export type Status = Of<typeof status>;

export function fetchStatus(signal?: AbortSignal): Promise<Status> {
  return ask("/api/v1/status", status, { signal });
}

const account = object({
  accepted: number,
  kept: number,
  pending: number,
  dropped: record(number),
  damaged: number,
  rejected: record(number),
});
const ledger = record(record(account));

export type Account = Of<typeof account>;
export type Ledger = Of<typeof ledger>;

export function fetchLedger(signal?: AbortSignal): Promise<Ledger> {
  return ask("/api/v1/ledger", ledger, { signal });
}

const amount = object({ traces: number, spans: number });
const counts = record(amount);
const kept = object({ traces: number, spans: number, share_of_spans: or(number, 0) });
const policySet = object({
  id: or(text, ""),
  dry_run: or(flag, false),
  decided: or(amount, { traces: 0, spans: 0 }),
  kept: or(kept, { traces: 0, spans: 0, share_of_spans: 0 }),
  policies: or(list(object({ name: text, type: or(text, ""), wanted: amount, decided: amount, kept })), []),
});

export type PolicySet = Of<typeof policySet>;
const sampling = object({
  generation: number,
  pending_traces: number,
  pending_spans: number,
  pending_bytes: or(number, 0),
  cached_kept_traces: or(number, 0),
  cached_dropped_traces: or(number, 0),
  early_traces: or(number, 0),
  too_large_traces: or(number, 0),
  late_kept_spans: or(number, 0),
  late_dropped_spans: or(number, 0),
  kept: counts,
  dropped: counts,
  kept_share: or(record(number), {}),
  policies: nullable(object({ sets: or(list(policySet), []) })),
});

export type Sampling = Of<typeof sampling>;

export function fetchSampling(signal?: AbortSignal): Promise<Sampling> {
  return ask("/api/v1/sampling", sampling, { signal });
}
