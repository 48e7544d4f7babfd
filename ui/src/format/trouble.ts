// How much trouble a service is in: how many of its newest calls fail, and how much slower they are than before.

export interface Course {
  calls: readonly number[];
  errors: readonly number[];
  p95_ns: readonly (number | null)[];
}

export interface Trouble {
  /** Sorts: 0 is none. */
  score: number;
  /** Share of the newest calls that failed. */
  errorShare: number;
  /** P95 now by P95 before; 1 where that cannot be said. */
  slower: number;
}

/** Fewer calls than this say nothing about a percentile. */
const CALLS_MIN = 20;
/** Below these nobody is called trouble. */
const ERROR_SHARE_MIN = 0.01;
const SLOWER_MIN = 1.5;

/** The last third of the steps with calls is "now", what is before it "before". */
export function troubleOf({ calls, errors, p95_ns }: Course): Trouble {
  const last = calls.findLastIndex((value) => value > 0);
  const first = calls.findIndex((value) => value > 0);
  if (last < 0) return { score: 0, errorShare: 0, slower: 1 };
  const from = Math.max(first, last + 1 - Math.max(1, Math.ceil((last + 1 - first) / 3)));
  const sum = (values: readonly number[], start: number, end: number) =>
    values.slice(start, end).reduce((total, value) => total + value, 0);
  const [callsNow, callsBefore] = [sum(calls, from, last + 1), sum(calls, first, from)];
  const errorShare = callsNow > 0 ? sum(errors, from, last + 1) / callsNow : 0;
  const [now, before] = [mean(p95_ns, calls, from, last + 1), mean(p95_ns, calls, first, from)];
  const slower = callsNow >= CALLS_MIN && callsBefore >= CALLS_MIN && now && before ? now / before : 1;
  const certain = atLeast(errorShare, callsNow);
  const byErrors = certain >= ERROR_SHARE_MIN ? 1 + 20 * certain : certain;
  const byTime = slower >= SLOWER_MIN ? Math.log2(slower) : 0;
  return { score: byErrors + byTime, errorShare, slower };
}

/** The share that so many calls vouch for: the lower end of Wilson's interval at two standard deviations. One failure of three is little. */
function atLeast(share: number, calls: number): number {
  if (calls <= 0) return 0;
  const square = 4 / calls;
  return (share + square / 2 - 2 * Math.sqrt((share * (1 - share)) / calls + square / (4 * calls))) / (1 + square);
}

/** Typical, not exact: steps weigh by their calls, on a log scale. Good enough to sort by, never shown as a percentile. */
function mean(values: readonly (number | null)[], weights: readonly number[], from: number, to: number): number | null {
  let [total, weight] = [0, 0];
  for (let index = from; index < to; index += 1) {
    const value = values[index];
    if (!value) continue;
    total += Math.log(value) * (weights[index] ?? 0);
    weight += weights[index] ?? 0;
  }
  return weight > 0 ? Math.exp(total / weight) : null;
}

export interface VersionLike {
  version: string;
  spans: number;
  error_share: number;
  p95_ns: number;
}

/** Why a version stands out beside the others of its service; null when it does not, or too few calls say so. */
export function standsOut(version: VersionLike, others: readonly VersionLike[]): string | null {
  const rest = others.filter((one) => one.version !== version.version && one.spans >= CALLS_MIN);
  if (version.spans < CALLS_MIN || rest.length === 0) return null;
  const errorShare = Math.max(...rest.map((one) => one.error_share));
  const p95 = Math.max(...rest.map((one) => one.p95_ns));
  if (version.error_share >= 0.02 && version.error_share > 2 * errorShare) return "fails more often than the others";
  if (p95 > 0 && version.p95_ns > 1.5 * p95) return "is slower than the others";
  return null;
}
