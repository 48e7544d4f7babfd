// Calls by time and duration as a picture; a rectangle drawn over it asks what is different there.

import { useEffect, useRef, useState } from "react";
import type { Heatmap } from "../api/heatmap";
import { duration } from "../format/duration";
import { count } from "../format/number";
import { clock, msOf } from "../format/time";
import { useSize } from "../hooks/size";
import { useTheme } from "../hooks/theme";

export interface Selection {
  /** Unix ns as text. */
  from: string;
  to: string;
  /** ns. */
  shortest: number;
  longest: number;
}

interface Props {
  heatmap: Heatmap;
  height?: number;
  picked: Selection | null;
  pick: (selection: Selection | null) => void;
}

const DRAG_MIN_PX = 5;

export function HeatmapView({ heatmap, height = 160, picked, pick }: Props) {
  const [box, { width }] = useSize();
  const { dark } = useTheme();
  const canvas = useRef<HTMLCanvasElement>(null);
  const [drag, setDrag] = useState<{ x0: number; y0: number; x1: number; y1: number } | null>(null);
  const [under, setUnder] = useState<string | null>(null);
  const { cells, steps, durations_ns: bounds } = heatmap;
  const rows = Math.max(1, bounds.length - 1);
  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context || width === 0) return;
    const scale = window.devicePixelRatio || 1;
    context.canvas.width = width * scale;
    context.canvas.height = height * scale;
    context.scale(scale, scale);
    context.clearRect(0, 0, width, height);
    const most = Math.log1p(cells.calls.reduce((max, value) => Math.max(max, value), 1));
    const [wide, high] = [width / steps, height / rows];
    cells.calls.forEach((calls, index) => {
      const heat = Math.log1p(calls) / most;
      const share = (cells.errors[index] ?? 0) / Math.max(calls, 1);
      context.fillStyle = cellColor(heat, share, dark);
      context.fillRect(
        cells.step[index]! * wide,
        height - (cells.row[index]! + 1) * high,
        Math.ceil(wide),
        Math.ceil(high),
      );
    });
  }, [cells, steps, rows, width, height, dark]);

  const at = (event: React.PointerEvent) => {
    const rect = event.currentTarget.getBoundingClientRect();
    const clamp = (value: number) => Math.max(0, Math.min(1, value));
    return { x: clamp((event.clientX - rect.left) / rect.width), y: clamp((event.clientY - rect.top) / rect.height) };
  };
  const startMs = msOf(heatmap.start_ns);
  const stepMs = heatmap.step_ns / 1e6;
  const nsAt = (x: number) =>
    (BigInt(heatmap.start_ns) + BigInt(Math.round(x * steps)) * BigInt(Math.round(heatmap.step_ns))).toString();
  const durationAt = (y: number, up: boolean) => {
    const row = (1 - y) * rows;
    return bounds[Math.max(0, Math.min(rows, up ? Math.ceil(row) : Math.floor(row)))] ?? 0;
  };
  const look = (x: number, y: number) => {
    const step = Math.min(steps - 1, Math.floor(x * steps));
    const row = Math.min(rows - 1, Math.floor((1 - y) * rows));
    const index = cells.step.findIndex((one, place) => one === step && cells.row[place] === row);
    const calls =
      index >= 0
        ? `${count(cells.calls[index]!)} calls${cells.errors[index] ? `, ${count(cells.errors[index]!)} failed` : ""}`
        : "none";
    setUnder(
      `${clock(startMs + step * stepMs, false)} · ${duration(bounds[row] ?? 0)} – ${duration(bounds[row + 1] ?? 0)} · ${calls}`,
    );
  };
  const finish = () => {
    if (
      drag &&
      (Math.abs(drag.x1 - drag.x0) * width >= DRAG_MIN_PX || Math.abs(drag.y1 - drag.y0) * height >= DRAG_MIN_PX)
    ) {
      const [x0, x1] = [Math.min(drag.x0, drag.x1), Math.max(drag.x0, drag.x1)];
      const [y0, y1] = [Math.min(drag.y0, drag.y1), Math.max(drag.y0, drag.y1)];
      pick({
        from: nsAt(Math.floor(x0 * steps) / steps),
        to: nsAt(Math.ceil(x1 * steps) / steps),
        shortest: y1 >= 1 ? 0 : durationAt(y1, false),
        longest: durationAt(y0, true),
      });
    } else if (drag) pick(null);
    setDrag(null);
  };
  const marked = drag ?? (picked && rectangleOf(picked, heatmap, rows));
  const middle = Math.floor(rows / 2);
  return (
    <div>
      <div
        className="heat"
        ref={box}
        style={{ height, cursor: "crosshair", touchAction: "none" }}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          const { x, y } = at(event);
          setDrag({ x0: x, y0: y, x1: x, y1: y });
        }}
        onPointerMove={(event) => {
          const { x, y } = at(event);
          look(x, y);
          if (drag) setDrag({ ...drag, x1: x, y1: y });
        }}
        onPointerLeave={() => setUnder(null)}
        onPointerUp={finish}
        onPointerCancel={() => setDrag(null)}
      >
        <canvas ref={canvas} role="img" aria-label="Calls by time and duration" />
        {[rows, middle, 0].map((row) => (
          <span
            key={row}
            className="axis"
            style={{ top: `calc(${(1 - row / rows) * 100}% - ${row === rows ? 0 : row === 0 ? 12 : 6}px)` }}
          >
            {duration(bounds[row] ?? 0)}
          </span>
        ))}
        {marked && (
          <div
            className="picked"
            style={{
              left: `${Math.min(marked.x0, marked.x1) * 100}%`,
              width: `${Math.abs(marked.x1 - marked.x0) * 100}%`,
              top: `${Math.min(marked.y0, marked.y1) * 100}%`,
              height: `${Math.abs(marked.y1 - marked.y0) * 100}%`,
            }}
          />
        )}
      </div>
      <div
        className="row dim"
        style={{ fontSize: 11, justifyContent: "space-between", borderTop: "1px solid var(--line)" }}
      >
        <span>{clock(startMs, false)}</span>
        <span>{under ?? "Drag over it: what is different there?"}</span>
        <span>{clock(startMs + steps * stepMs, false)}</span>
      </div>
    </div>
  );
}

/** Water for calls; towards red as they fail. */
function cellColor(heat: number, errorShare: number, dark: boolean): string {
  const lightness = dark ? 0.28 + 0.55 * heat : 0.93 - 0.5 * heat;
  if (errorShare >= 0.25) return `oklch(${lightness.toFixed(3)} ${(0.06 + 0.13 * heat).toFixed(3)} 27)`;
  return `oklch(${lightness.toFixed(3)} ${(0.03 + 0.08 * heat).toFixed(3)} 220)`;
}

function rectangleOf(picked: Selection, { start_ns, step_ns, steps, durations_ns }: Heatmap, rows: number) {
  const x = (ns: string) => Number(BigInt(ns) - BigInt(start_ns)) / (step_ns * steps);
  const y = (ns: number) => {
    if (ns <= (durations_ns[0] ?? 0)) return 1;
    const row = durations_ns.findIndex((bound) => bound >= ns);
    return 1 - (row < 0 ? rows : row) / rows;
  };
  return {
    x0: Math.max(0, x(picked.from)),
    x1: Math.min(1, x(picked.to)),
    y0: y(picked.longest),
    y1: y(picked.shortest),
  };
}
