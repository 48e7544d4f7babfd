// The time range: presets, or two moments.

import { useEffect, useRef, useState } from "react";
import { clock, moment, relativeWords } from "../format/time";
import { change } from "../hooks/location";
import { boundMs, DEFAULT_FROM, useRange } from "../hooks/range";

const PRESETS: readonly [string, string][] = [
  ["-5m", "5 min"],
  ["-15m", "15 min"],
  ["-30m", "30 min"],
  ["-1h", "1 h"],
  ["-6h", "6 h"],
  ["-24h", "24 h"],
  ["-7d", "7 d"],
  ["all", "all"],
];

function wordsOf(from: string, to: string): string {
  if (from === "" && to === "") return "everything kept";
  const relative = relativeWords(from);
  if (relative && to === "") return relative;
  const now = Date.now();
  const [start, end] = [boundMs(from, now), boundMs(to, now)];
  const sameDay = start !== null && end !== null && new Date(start).toDateString() === new Date(end).toDateString();
  const first = start === null ? from || "start" : moment(start, false);
  const last = to === "" ? "now" : end === null ? to : sameDay ? clock(end, false) : moment(end, false);
  return `${first} – ${last}`;
}

export function RangePicker() {
  const { from, to } = useRange();
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!open) return;
    const away = (event: Event) => {
      if (event instanceof KeyboardEvent ? event.key === "Escape" : !box.current?.contains(event.target as Node))
        setOpen(false);
    };
    document.addEventListener("mousedown", away);
    document.addEventListener("keydown", away);
    return () => {
      document.removeEventListener("mousedown", away);
      document.removeEventListener("keydown", away);
    };
  }, [open]);
  const choose = (start: string, end: string) => {
    setOpen(false);
    change({ from: start === DEFAULT_FROM && end === "" ? null : start, to: end });
  };
  return (
    <div ref={box} style={{ position: "relative" }}>
      <button type="button" className="button" aria-expanded={open} onClick={() => setOpen(!open)} title="Time range">
        {wordsOf(from, to)}
      </button>
      {open && (
        <div className="menu">
          <div className="row" style={{ flexWrap: "wrap", gap: 4 }}>
            {PRESETS.map(([value, name]) => (
              <button
                key={value}
                type="button"
                className={`button ${(from || "all") === value && to === "" ? "on" : ""}`}
                onClick={() => choose(value, "")}
              >
                {name}
              </button>
            ))}
          </div>
          <form
            style={{ display: "grid", gap: 4, marginTop: 8 }}
            onSubmit={(event) => {
              event.preventDefault();
              const data = new FormData(event.currentTarget);
              choose(String(data.get("from")).trim() || "all", String(data.get("to")).trim());
            }}
          >
            <label className="row">
              <span className="dim" style={{ width: 36 }}>
                from
              </span>
              <input
                className="input grow mono"
                name="from"
                defaultValue={from}
                placeholder="-2h, 2026-11-29T14:00:00Z"
              />
            </label>
            <label className="row">
              <span className="dim" style={{ width: 36 }}>
                to
              </span>
              <input className="input grow mono" name="to" defaultValue={to} placeholder="now" />
            </label>
            <div className="right">
              <button type="submit" className="button primary">
                Show
              </button>
            </div>
          </form>
        </div>
      )}
    </div>
  );
}
