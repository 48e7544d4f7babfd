// Who calls whom, and where an operation's time goes.

import { ask } from "./http";
import { flag, list, number, type Of, object, or, text } from "./shape";

const dependencies = object({
  weighted: flag,
  partial: flag,
  dependencies: list(
    object({
      caller: text,
      callee: text,
      callee_kind: text,
      calls: number,
      calls_seen: number,
      errors: number,
      p50_ns: or(number, 0),
      p99_ns: or(number, 0),
    }),
  ),
});

export type Dependencies = Of<typeof dependencies>;

export function fetchDependencies(
  query: { service?: string; from?: string | undefined; to?: string | undefined },
  signal?: AbortSignal,
): Promise<Dependencies> {
  return ask("/api/v1/dependencies", dependencies, { params: { ...query }, signal });
}

const bottlenecks = object({
  partial: flag,
  traces: number,
  calls: number,
  weighted: flag,
  duration: object({ total_ns: number, p50_ns: number, p95_ns: number, p99_ns: number }),
  categories: list(
    object({ category: text, share: number, total_ns: number, p50_ns: number, p95_ns: number, p99_ns: number }),
  ),
  contributors: list(
    object({ service: text, operation: text, category: text, share: number, total_ns: number, spans: number }),
  ),
});

export type Bottlenecks = Of<typeof bottlenecks>;

export function fetchBottlenecks(
  query: {
    service: string;
    operation?: string | undefined;
    from?: string | undefined;
    to?: string | undefined;
    limit?: number;
  },
  signal?: AbortSignal,
): Promise<Bottlenecks> {
  return ask("/api/v1/bottlenecks", bottlenecks, { params: { ...query }, signal });
}
