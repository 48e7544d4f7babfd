// Courses over time: uPlot, drawn anew when theme, size or data change. Dragging chooses a time range.

import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { change } from "../hooks/location";
import { useSize } from "../hooks/size";
import { useTheme } from "../hooks/theme";

export interface Series {
  name: string;
  values: readonly (number | null)[];
  /** A CSS variable: `--water`. */
  color: string;
  dash?: number[];
  fill?: boolean;
}

interface Props {
  title: string;
  startMs: number;
  stepMs: number;
  series: readonly Series[];
  format: (value: number) => string;
  height?: number;
}

export function Chart({ title, startMs, stepMs, series, format, height = 132 }: Props) {
  const [box, { width }] = useSize();
  const { dark } = useTheme();
  const holder = useRef<HTMLDivElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the theme changes what the colours' names stand for.
  useEffect(() => {
    const element = holder.current;
    if (!element || width === 0) return;
    const style = getComputedStyle(document.documentElement);
    const color = (variable: string) => style.getPropertyValue(variable).trim();
    const font = `11px ${style.getPropertyValue("--sans")}`;
    const axis = { stroke: color("--dim"), font, ticks: { show: false }, grid: { stroke: color("--line"), width: 1 } };
    const count = series[0]?.values.length ?? 0;
    const times = Array.from({ length: count }, (_, index) => (startMs + index * stepMs) / 1000);
    const plot = new uPlot(
      {
        width,
        height,
        ms: 1e-3,
        cursor: { y: false, drag: { x: true, y: false, setScale: false }, points: { size: 5 } },
        select: { show: true, left: 0, top: 0, width: 0, height: 0 },
        legend: { show: false },
        scales: { y: { range: (_, __, max) => [0, max > 0 ? max * 1.08 : 1] } },
        axes: [
          {
            ...axis,
            size: 20,
            space: 70,
            values: (_, splits) => splits.map((second) => timeOf(second * 1000, stepMs)),
          },
          {
            ...axis,
            size: 58,
            space: 28,
            values: (_, splits) => splits.map((value) => (value === 0 ? "0" : format(value))),
          },
        ],
        series: [
          {},
          ...series.map((one) => ({
            label: one.name,
            stroke: color(one.color),
            width: 1.25,
            spanGaps: false,
            points: { show: count <= 1 },
            ...(one.dash ? { dash: one.dash } : {}),
            ...(one.fill ? { fill: `color-mix(in oklch, ${color(one.color)} 16%, transparent)` } : {}),
          })),
        ],
        hooks: {
          setSelect: [
            (chart) => {
              const { left, width: wide } = chart.select;
              if (wide < 4) return;
              const at = (x: number) => new Date(chart.posToVal(x, "x") * 1000).toISOString();
              chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
              change({ from: at(left), to: at(left + wide) });
            },
          ],
          setCursor: [
            (chart) => {
              const index = chart.cursor.idx;
              const told = element.parentElement?.querySelector("[data-told]");
              if (!told) return;
              told.textContent =
                index === null || index === undefined
                  ? ""
                  : `${timeOf(times[index]! * 1000, 1000)}  ${series
                      .map((one) => {
                        const value = one.values[index];
                        return `${one.name} ${value === null || value === undefined ? "–" : format(value)}`;
                      })
                      .join("  ")}`;
            },
          ],
        },
      },
      [times, ...series.map((one) => [...one.values])] as uPlot.AlignedData,
      element,
    );
    return () => plot.destroy();
  }, [series, startMs, stepMs, width, height, dark, format]);
  return (
    <div className="chart" ref={box}>
      <div className="row" style={{ justifyContent: "space-between" }}>
        <h2 className="small">{title}</h2>
        <span className="row dim" style={{ fontSize: 11, gap: 10 }}>
          {series.length > 1 &&
            series.map((one) => (
              <span key={one.name} className="service">
                <span className="swatch" style={{ background: `var(${one.color})`, height: 3 }} />
                {one.name}
              </span>
            ))}
        </span>
      </div>
      <div ref={holder} role="img" aria-label={title} style={{ height }} />
      <div className="dim" data-told style={{ fontSize: 11, height: 16, lineHeight: "16px", whiteSpace: "pre" }} />
    </div>
  );
}

function timeOf(ms: number, stepMs: number): string {
  const date = new Date(ms);
  const two = (value: number) => String(value).padStart(2, "0");
  if (stepMs >= 3_600_000 && date.getHours() === 0) return `${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const time = `${two(date.getHours())}:${two(date.getMinutes())}`;
  return stepMs < 60_000 ? `${time}:${two(date.getSeconds())}` : time;
}
