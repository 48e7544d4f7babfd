// The time range in the address: `from` and `to`, relative or absolute; the last hour when nothing is said.

import { useMemo } from "react";
import { msOf, relativeMs } from "../format/time";
import { useParam } from "./location";

export const DEFAULT_FROM = "-1h";

export interface TimeRange {
  /** As the address and the API write them; "" is open. */
  from: string;
  to: string;
  /** Whether it moves with the clock, so that pages ask again. */
  live: boolean;
}

/** `all` in the address: everything that is kept. */
export function useRange(): TimeRange {
  const from = useParam("from");
  const to = useParam("to");
  return useMemo(() => {
    const start = from === "all" ? "" : from || DEFAULT_FROM;
    return { from: start, to, live: to === "" || to === "now" };
  }, [from, to]);
}

/** A bound as milliseconds; null when it is open or cannot be read. */
export function boundMs(bound: string, nowMs: number): number | null {
  if (bound === "") return null;
  const relative = relativeMs(bound, nowMs);
  if (relative !== null) return relative;
  if (/^\d{16,20}$/.test(bound)) return msOf(bound);
  if (/^\d{13}$/.test(bound)) return Number(bound);
  if (/^\d{9,10}$/.test(bound)) return Number(bound) * 1000;
  const parsed = Date.parse(bound);
  return Number.isNaN(parsed) ? null : parsed;
}

/** Half an hour before and after a moment. */
const AROUND_MS = 1_800_000;

/** For links from something that happened then: the range of the address, or one that holds the moment. */
export function useRangeAround(ns: string): { from?: string; to?: string } {
  const chosen = useParam("from");
  return useMemo(() => {
    const ms = msOf(ns === "" ? "x" : ns);
    const now = Date.now();
    if (chosen !== "" || Number.isNaN(ms) || now - ms < 2 * AROUND_MS) return {};
    return { from: new Date(ms - AROUND_MS).toISOString(), to: new Date(ms + AROUND_MS).toISOString() };
  }, [chosen, ns]);
}

/** The same length of time right before a relative range: `-1h` → `-2h` to `-1h`; null for any other. */
export function before(range: TimeRange): { from: string; to: string } | null {
  const match = /^(?:now)?-(\d{1,6})([smhdw])$/.exec(range.from);
  if (!match || range.to !== "") return null;
  return { from: `-${2 * Number(match[1])}${match[2]}`, to: `-${match[1]}${match[2]}` };
}

/** The bounds as RFC 3339, for a link that shows the same tomorrow. */
export function absolute(range: TimeRange, nowMs: number): { from: string; to: string } {
  const start = boundMs(range.from, nowMs);
  const end = boundMs(range.to, nowMs) ?? nowMs;
  return { from: start === null ? "all" : new Date(start).toISOString(), to: new Date(end).toISOString() };
}
