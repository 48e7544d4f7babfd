// Moments: nanoseconds as text (they exceed 2⁵³), shown in the reader's own time zone.

const two = (value: number) => String(value).padStart(2, "0");

/** Milliseconds since 1970 of a text of nanoseconds. */
export function msOf(ns: string): number {
  try {
    return Number(BigInt(ns) / 1_000_000n);
  } catch {
    return Number.NaN;
  }
}

/** `ns` plus an offset in nanoseconds, exact. */
export function plus(ns: string, offset: number): string {
  return (BigInt(ns) + BigInt(Math.round(offset))).toString();
}

/** 14:03:07.123. */
export function clock(ms: number, withMs = true): string {
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) return "–";
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return withMs ? `${time}.${String(date.getMilliseconds()).padStart(3, "0")}` : time;
}

/** 2026-11-29 14:03:07.123. */
export function moment(ms: number, withMs = true): string {
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) return "–";
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock(ms, withMs)}`;
}

/** 12 s ago, 3 min ago. */
export function ago(ms: number, nowMs: number): string {
  const s = Math.round((nowMs - ms) / 1000);
  if (s < 0) return "in the future";
  if (s < 60) return `${s} s ago`;
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ago`;
  return `${Math.floor(s / 86_400)} d ago`;
}

const RELATIVE = /^(?:now)?-(\d+)(s|m|h|d|w)$/;
const UNIT_MS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** What `-1h` or `now` is at a moment; null for anything else. */
export function relativeMs(text: string, nowMs: number): number | null {
  if (text === "now") return nowMs;
  const match = RELATIVE.exec(text);
  return match ? nowMs - Number(match[1]) * UNIT_MS[match[2]!]! : null;
}

/** `-15m` → last 15 min. */
export function relativeWords(text: string): string | null {
  const match = RELATIVE.exec(text);
  if (!match) return null;
  const unit = { s: "s", m: "min", h: "h", d: "d", w: "wk" }[match[2]!];
  return `last ${match[1]} ${unit}`;
}
