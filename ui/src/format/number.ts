// Counts, shares, rates and bytes for people.

const GROUPED = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** All digits: 1,234,567. */
export function count(value: number): string {
  return GROUPED.format(value);
}

/** Three digits and a letter: 1.23M. Below 1000 as it is. */
export function short(value: number): string {
  const size = Math.abs(value);
  if (size < 1000)
    return size >= 100 || Number.isInteger(value) ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
  for (const [unit, letter] of [
    [1e12, "T"],
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ] as const) {
    if (size >= unit) return `${Number((value / unit).toPrecision(3))}${letter}`;
  }
  return String(value);
}

/** With ≈ where the number is an estimate from a sample. */
export function about(text: string, estimated: boolean): string {
  return estimated ? `≈ ${text}` : text;
}

/** 0.0312 → 3.12 %. */
export function percent(share: number): string {
  if (!Number.isFinite(share)) return "–";
  const value = share * 100;
  if (value === 0) return "0 %";
  if (value < 0.01) return "< 0.01 %";
  return `${value >= 99.95 ? Math.round(value) : value >= 9.995 ? value.toFixed(1) : value.toFixed(2)} %`;
}

/** Per second; per minute where that would be less than one in ten seconds. */
export function rate(perSecond: number): string {
  if (perSecond === 0) return "0 /s";
  if (perSecond < 0.1) return `${short(perSecond * 60)} /min`;
  return `${short(perSecond)} /s`;
}

export function bytes(value: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let size = value;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? size : size >= 100 ? Math.round(size) : size.toPrecision(3)} ${units[unit]}`;
}
