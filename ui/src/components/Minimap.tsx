// The whole trace in 48 pixels: drag to zoom, double click for all of it.

import { useEffect, useMemo, useRef, useState } from "react";
import type { Trace } from "../api/trace";
import { useSize } from "../hooks/size";

interface Props {
  trace: Trace;
  colors: readonly string[];
  from: number;
  to: number;
  zoom: (from: number, to: number) => void;
  /** A click: a row of the whole trace. */
  see: (row: number) => void;
}

/** Rows drawn at most: more would fall on one another. */
const DRAWN_MAX = 4000;
/** A click that trembles is no drag. */
const DRAG_MIN_PX = 4;

export function Minimap({ trace, colors, from, to, zoom, see }: Props) {
  const [box, { width, height }] = useSize();
  const canvas = useRef<HTMLCanvasElement>(null);
  const [drag, setDrag] = useState<[number, number] | null>(null);
  const whole = Math.max(1, trace.duration_ns);
  const drawn = useMemo(() => sample(trace), [trace]);
  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context || width === 0) return;
    const scale = window.devicePixelRatio || 1;
    context.canvas.width = width * scale;
    context.canvas.height = height * scale;
    context.scale(scale, scale);
    context.clearRect(0, 0, width, height);
    const rowHeight = Math.max(1, Math.min(4, (height - 4) / Math.max(1, drawn.length)));
    const step = (height - 4 - rowHeight) / Math.max(1, drawn.length - 1);
    const error = getComputedStyle(document.documentElement).getPropertyValue("--error");
    drawn.forEach(({ start, duration, service, failed }, index) => {
      context.fillStyle = failed ? error : (colors[service] ?? "#888");
      context.fillRect(
        (start / whole) * width,
        2 + (drawn.length > 1 ? index * step : 0),
        Math.max(1, (duration / whole) * width),
        rowHeight,
      );
    });
  }, [drawn, colors, width, height, whole]);
  const at = (event: React.PointerEvent) => {
    const rect = event.currentTarget.getBoundingClientRect();
    return Math.max(0, Math.min(1, (event.clientX - rect.left) / rect.width));
  };
  const rowAt = (event: React.PointerEvent) => {
    const rect = event.currentTarget.getBoundingClientRect();
    const share = Math.max(0, Math.min(0.9999, (event.clientY - rect.top) / rect.height));
    const { overview } = trace;
    if (overview) return overview.row[Math.floor(share * overview.row.length)] ?? 0;
    return trace.first + Math.floor(share * trace.rows);
  };
  const [left, right] = drag ? [Math.min(...drag), Math.max(...drag)] : [from / whole, to / whole];
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: + and − zoom by the keyboard.
    <div
      className="minimap"
      ref={box}
      title="Drag to zoom, click to go there, double click for the whole trace"
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        setDrag([at(event), at(event)]);
      }}
      onPointerMove={(event) => drag && setDrag([drag[0], at(event)])}
      onPointerUp={(event) => {
        if (drag && (right - left) * width >= DRAG_MIN_PX) zoom(left * whole, right * whole);
        else if (drag) see(rowAt(event));
        setDrag(null);
      }}
      onPointerCancel={() => setDrag(null)}
      onDoubleClick={() => zoom(0, 0)}
    >
      <canvas ref={canvas} />
      <div className="outside" style={{ left: 0, width: `${Math.max(0, left) * 100}%` }} />
      <div className="outside" style={{ right: 0, width: `${Math.max(0, 1 - right) * 100}%` }} />
    </div>
  );
}

interface Drawn {
  start: number;
  duration: number;
  service: number;
  failed: boolean;
}

function sample(trace: Trace): Drawn[] {
  if (trace.overview) {
    const { row, start, duration, service, status } = trace.overview;
    return row.map((_, index) => ({
      start: start[index]!,
      duration: duration[index]!,
      service: service[index]!,
      failed: status[index] === 2,
    }));
  }
  const every = Math.max(1, Math.ceil(trace.rows / DRAWN_MAX));
  const drawn: Drawn[] = [];
  for (let row = 0; row < trace.rows; row += every) {
    drawn.push({
      start: trace.start[row]!,
      duration: trace.duration[row]!,
      service: trace.service[row]!,
      failed: trace.status[row] === 2,
    });
  }
  return drawn;
}
