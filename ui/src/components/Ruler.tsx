// The time above the bars: offsets from the trace's start.

import { duration } from "../format/duration";

/** The smallest of 1, 2, 5 × 10ⁿ that makes at most `count` steps. */
export function stepOf(span: number, count: number): number {
  const rough = span / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5].map((digit) => digit * power).find((step) => step >= rough) ?? 10 * power;
}

interface Props {
  from: number;
  to: number;
  /** The width of the names, in percent. */
  names: number;
  widen: (percent: number) => void;
}

export function Ruler({ from, to, names, widen }: Props) {
  const step = stepOf(to - from, 7);
  const ticks: number[] = [];
  for (let at = Math.ceil(from / step) * step; at < to && ticks.length < 20; at += step) ticks.push(at);
  const drag = (event: React.PointerEvent<HTMLDivElement>) => {
    if (!event.currentTarget.hasPointerCapture(event.pointerId)) return;
    const rect = event.currentTarget.parentElement?.getBoundingClientRect();
    if (rect) widen(((event.clientX - rect.left) / rect.width) * 100);
  };
  return (
    <div style={{ display: "flex", position: "relative" }}>
      <div className="ruler" style={{ width: "var(--names)", flex: "none", paddingLeft: 8 }}>
        Service and operation
      </div>
      <div
        className="grip"
        role="separator"
        aria-orientation="vertical"
        aria-valuenow={Math.round(names)}
        aria-label="Width of the names"
        style={{ left: "var(--names)" }}
        title="Drag to widen the names"
        onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
        onPointerMove={drag}
        tabIndex={0}
        onKeyDown={(event) => {
          const step = { ArrowLeft: -2, ArrowRight: 2 }[event.key];
          if (!step) return;
          // The rows have these keys too.
          event.stopPropagation();
          widen(names + step);
        }}
      />
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
