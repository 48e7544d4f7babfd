// Rows of a query as a picture: courses over time where a column is a time, bars otherwise.

import { useMemo } from "react";
import type { SqlAnswer } from "../api/sql";
import { short } from "../format/number";
import { visible } from "../format/text";
import { Chart, type Series } from "./Chart";

const SERIES_MAX = 8;
const BARS_MAX = 40;
const COLORS = ["--water", "--dim", "--series-3", "--series-4", "--series-5", "--series-6", "--series-7", "--series-8"];

const isNumber = (type: string) => /^(u?int|float|decimal)/.test(type);

/** Whether there is something to draw. */
export function canDraw({ columns, rows }: SqlAnswer): boolean {
  return rows.length > 1 && columns.some(({ type }) => isNumber(type)) && columns.some(({ type }) => !isNumber(type));
}

export function SqlChart({ answer }: { answer: SqlAnswer }) {
  const time = answer.columns.find(({ type }) => type === "timestamp" || type === "date");
  return time ? <Courses answer={answer} time={time.name} /> : <Bars answer={answer} />;
}

function Courses({ answer, time }: { answer: SqlAnswer; time: string }) {
  const { startMs, stepMs, series, left } = useMemo(() => coursesOf(answer, time), [answer, time]);
  if (series.length === 0) return <p className="state dim">Nothing to draw.</p>;
  return (
    <div style={{ padding: 16 }}>
      <Chart
        title={series.length === 1 ? series[0]!.name : "By time"}
        startMs={startMs}
        stepMs={stepMs}
        series={series}
        format={short}
        height={260}
      />
      {left > 0 && <p className="dim">{left} more are not drawn</p>}
    </div>
  );
}

/** A series for each number and each combination of the other columns; times on a grid of the smallest distance. */
export function coursesOf(
  { columns, rows }: SqlAnswer,
  time: string,
): { startMs: number; stepMs: number; series: Series[]; left: number } {
  const values = columns.filter(({ type }) => isNumber(type));
  const names = columns.filter(({ name, type }) => name !== time && !isNumber(type));
  const points = rows
    .map((row) => ({ ms: Date.parse(String(row[time])), row }))
    .filter(({ ms }) => Number.isFinite(ms));
  const times = [...new Set(points.map(({ ms }) => ms))].sort((one, other) => one - other);
  const [startMs] = times;
  if (startMs === undefined) return { startMs: 0, stepMs: 1, series: [], left: 0 };
  const stepMs = times
    .slice(1)
    .reduce((least, ms, index) => Math.min(least, ms - times[index]!), Number.POSITIVE_INFINITY);
  const step = Number.isFinite(stepMs) ? Math.max(stepMs, (times.at(-1)! - startMs) / 2000) : 1;
  const count = Math.floor((times.at(-1)! - startMs) / step) + 1;
  const found = new Map<string, (number | null)[]>();
  for (const { ms, row } of points) {
    for (const value of values) {
      const key = [
        ...names.map(({ name }) => String(row[name])),
        ...(values.length > 1 || names.length === 0 ? [value.name] : []),
      ].join(" · ");
      const list = found.get(key) ?? new Array<number | null>(count).fill(null);
      const number = Number(row[value.name]);
      list[Math.round((ms - startMs) / step)] = row[value.name] === null || !Number.isFinite(number) ? null : number;
      found.set(key, list);
    }
  }
  const series = [...found]
    .slice(0, SERIES_MAX)
    .map(([name, list], index) => ({ name: visible(name), values: list, color: COLORS[index]! }));
  return { startMs, stepMs: step, series, left: found.size - series.length };
}

function Bars({ answer: { columns, rows } }: { answer: SqlAnswer }) {
  const value = columns.find(({ type }) => isNumber(type));
  const names = columns.filter(({ type }) => !isNumber(type));
  if (!value) return null;
  const shown = rows.slice(0, BARS_MAX);
  const most = shown.reduce((max, row) => Math.max(max, Math.abs(Number(row[value.name]) || 0)), 0) || 1;
  return (
    <table className="table" aria-label={value.name}>
      <tbody>
        {shown.map((row, index) => (
          <tr key={index}>
            <td style={{ width: "30%" }}>{visible(names.map(({ name }) => String(row[name])).join(" · "))}</td>
            <td className="right" style={{ width: 80 }}>
              {short(Number(row[value.name]))}
            </td>
            <td style={{ maxWidth: "none" }}>
              <span
                className="share"
                style={{ width: `${(Math.abs(Number(row[value.name]) || 0) / most) * 100}%`, height: 10 }}
              />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
