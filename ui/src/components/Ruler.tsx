// The time above the bars: offsets from the trace's start.

import { duration } from "../format/duration";

/** The smallest of 1, 2, 5 × 10ⁿ that makes at most `count` steps. */
export function stepOf(span: number, count: number): number {
  const rough = span / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5].map((digit) => digit * power).find((step) => step >= rough) ?? 10 * power;
}

export function Ruler({ from, to }: { from: number; to: number }) {
  const step = stepOf(to - from, 7);
  const ticks: number[] = [];
  for (let at = Math.ceil(from / step) * step; at < to && ticks.length < 20; at += step) ticks.push(at);
  return (
    <div style={{ display: "flex" }}>
      <div className="ruler" style={{ width: "38%", flex: "none", paddingLeft: 8 }}>
        Service and operation
      </div>
      <div className="ruler grow">
        {ticks.map((at) => (
          <span key={at} style={{ left: `${((at - from) / (to - from)) * 100}%` }}>
            {at === 0 ? "0" : duration(at)}
          </span>
        ))}
      </div>
    </div>
  );
}
