// One hook for each thing that pages ask for.

import { useInfiniteQuery } from "@tanstack/react-query";
import { fetchAttributes } from "../api/attributes";
import { fetchBottlenecks, fetchDependencies } from "../api/calls";
import { fetchDifferences } from "../api/differences";
import { find } from "../api/find";
import { fetchHeatmap, type HeatmapQuery } from "../api/heatmap";
import type { Params } from "../api/http";
import { fetchRed, type Red, type RedQuery } from "../api/red";
import { type SearchQuery, search } from "../api/search";
import { fetchSpan } from "../api/span";
import { fetchLedger, fetchSampling, fetchStatus } from "../api/status";
import { fetchTrace, findInTrace, type Trace } from "../api/trace";
import { useAsk } from "./ask";
import type { TimeRange } from "./range";

/** How often a page whose range moves with the clock asks again. */
export const LIVE_MS = 10_000;
const EMPTY_MS = 2_000;
/** So long after it was opened a page asks as often: what it shows may only be coming in. */
const YOUNG_MS = 20_000;

const often = (range: TimeRange) => (range.live ? LIVE_MS : undefined);
const bounds = (range: TimeRange) => ({ from: range.from || "1970-01-01", to: range.to || undefined });

export function useRed(query: Omit<RedQuery, "from" | "to">, range: TimeRange, enabled = true) {
  const asked = { ...query, ...bounds(range) };
  // Who has nothing yet waits for the first span.
  const everyMs = (red: Red | undefined) =>
    range.live && (red?.groups.length === 0 || performance.now() < YOUNG_MS) ? EMPTY_MS : often(range);
  return useAsk(["red", asked], (signal) => fetchRed(asked, signal), { everyMs, enabled });
}

export function useHeatmap(query: HeatmapQuery, range: TimeRange) {
  const asked = { ...query, ...bounds(range) };
  return useAsk(["heatmap", asked], (signal) => fetchHeatmap(asked, signal), { everyMs: often(range) });
}

export function useSearch(query: SearchQuery, range: TimeRange) {
  const asked = { ...query, from: range.from || undefined, to: range.to || undefined };
  return useInfiniteQuery({
    queryKey: ["search", asked],
    queryFn: ({ signal, pageParam }) => search({ ...asked, cursor: pageParam || undefined }, signal),
    initialPageParam: "",
    getNextPageParam: (page) => page.cursor ?? undefined,
    placeholderData: (before) => before,
  });
}

export function useTrace(id: string, row: number, everyMs: (trace: Trace | undefined) => number | undefined) {
  return useAsk(["trace", id, row], (signal) => fetchTrace(id, row, signal), { everyMs, keep: false });
}

export function useMatches(id: string, q: string) {
  return useAsk(["matches", id, q], (signal) => findInTrace(id, q, signal), { enabled: q !== "" });
}

export function useSpan(trace: string, span: string) {
  return useAsk(["span", trace, span], (signal) => fetchSpan(trace, span, signal), { enabled: span !== "" });
}

export function useFind(q: string) {
  return useAsk(["find", q], (signal) => find(q, signal), { enabled: q !== "" });
}

export function useAttributes(service: string, range: TimeRange, enabled = true) {
  const asked = { service: service || undefined, ...bounds(range) };
  return useAsk(["attributes", asked], (signal) => fetchAttributes(asked, signal), { enabled });
}

export function useDependencies(service: string, range: TimeRange) {
  const asked = { service, ...bounds(range) };
  return useAsk(["dependencies", asked], (signal) => fetchDependencies(asked, signal), { everyMs: often(range) });
}

export function useBottlenecks(service: string, operation: string, range: TimeRange) {
  const asked = { service, operation: operation || undefined, ...bounds(range), limit: 200 };
  return useAsk(["bottlenecks", asked], (signal) => fetchBottlenecks(asked, signal));
}

export function useDifferences(params: Params, enabled: boolean) {
  return useAsk(["differences", params], (signal) => fetchDifferences(params, signal), { enabled });
}

export function useStatus(everyMs?: number) {
  return useAsk(["status"], (signal) => fetchStatus(signal), { everyMs });
}

export function useLedger(everyMs?: number) {
  return useAsk(["ledger"], (signal) => fetchLedger(signal), { everyMs });
}

export function useSampling(everyMs?: number) {
  return useAsk(["sampling"], (signal) => fetchSampling(signal), { everyMs });
}
