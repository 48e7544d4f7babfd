// Durations from nanoseconds, always with three digits: 1.23 ms, 45.6 µs, 789 ns.

const UNITS: readonly [number, string][] = [
  [365.25 * 86_400e9, "y"],
  [86_400e9, "d"],
  [3_600e9, "h"],
  [60e9, "min"],
  [1e9, "s"],
  [1e6, "ms"],
  [1e3, "µs"],
  [1, "ns"],
];

export interface Parts {
  digits: string;
  unit: string;
}

/** Number and unit apart, so that columns can align both. */
export function durationParts(ns: number): Parts {
  if (!Number.isFinite(ns)) return { digits: "–", unit: "" };
  const size = Math.abs(ns);
  if (size < 0.5) return { digits: "0", unit: "ns" };
  const sign = ns < 0 ? "−" : "";
  let index = UNITS.findIndex(([unit]) => size >= unit);
  if (index < 0) index = UNITS.length - 1;
  // 999.9 µs is 1.00 ms once it is rounded to three digits.
  const above = UNITS[index - 1];
  if (above && Number((size / UNITS[index]![0]).toPrecision(3)) * UNITS[index]![0] >= above[0]) index -= 1;
  const [unit, name] = UNITS[index]!;
  return { digits: sign + threeDigits(size / unit, unit === 1), unit: name };
}

export function duration(ns: number): string {
  const { digits, unit } = durationParts(ns);
  return unit ? `${digits} ${unit}` : digits;
}

function threeDigits(value: number, whole: boolean): string {
  if (whole || value >= 99.95) return String(Math.round(value));
  return value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}

const WRITTEN: Record<string, number> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3_600e9, d: 86_400e9 };

/** A duration as a condition's text writes it: `100ms`. */
export function durationText(ns: number): string {
  for (const unit of ["s", "ms", "us"]) {
    const value = ns / WRITTEN[unit]!;
    if (value >= 1) return `${Number(value.toPrecision(3))}${unit}`;
  }
  return `${Math.round(ns)}ns`;
}
