// Above the waterfall: search within the trace, folding, the views, the window of a trace that is too large for one.

import { type RefObject, useEffect, useState } from "react";
import type { Matches, Trace } from "../api/trace";
import { count } from "../format/number";
import { change } from "../hooks/location";
import type { View } from "../hooks/traceView";
import { name } from "./Names";

const VIEWS = [
  ["waterfall", "Waterfall"],
  ["flame", "Flamegraph"],
  ["table", "Operations"],
  ["lines", "Log lines"],
] as const;

/** Typing rests this long before it is searched for. */
const REST_MS = 150;

interface Props {
  trace: Trace;
  view: View;
  shown: string;
  find: string;
  input: RefObject<HTMLInputElement | null>;
  matches: Matches | undefined;
  jump: (step: 1 | -1) => void;
  /** The chosen row, of the whole trace. */
  at: number;
}

export function TraceTools({ trace, view, shown, find, input, matches, jump, at }: Props) {
  const { shape } = view;
  return (
    <div className="trace-tools">
      <Find find={find} input={input} matches={find === "" ? undefined : matches} jump={jump} at={at} />
      <div className="group" role="group" aria-label="View">
        {VIEWS.map(([key, title]) => (
          <button
            key={key}
            type="button"
            className={`button ${shown === key ? "on" : ""}`}
            aria-pressed={shown === key}
            onClick={() => change({ view: key === "waterfall" ? null : key })}
          >
            {title}
            {key === "lines" && trace.lines.row.length > 0 && (
              <span className="dim">{count(trace.lines.row.length + trace.logs_left_out)}</span>
            )}
          </button>
        ))}
      </div>
      {shown === "waterfall" && (
        <>
          <label className="row dim" style={{ gap: 4 }}>
            depth
            <select
              className="input"
              value={shape.depth}
              onChange={(event) =>
                change({ depth: event.target.value === "0" ? null : event.target.value, fold: null })
              }
            >
              <option value="0">all</option>
              {[...Array(Math.min(trace.depth_max, 12)).keys()].map((level) => (
                <option key={level} value={level + 1}>
                  {level + 1}
                </option>
              ))}
            </select>
          </label>
          <FoldServices trace={trace} folded={shape.services} />
          <button
            type="button"
            className={`button ${shape.critical ? "on" : ""}`}
            aria-pressed={shape.critical}
            onClick={() => change({ critical: shape.critical ? null : "1" })}
          >
            Critical path
          </button>
        </>
      )}
      {(shape.root >= 0 || view.from !== 0 || view.to !== Math.max(1, trace.duration_ns)) && (
        <button type="button" className="button" onClick={() => change({ zoom: null, root: null })} title="0">
          Whole trace
        </button>
      )}
      <span className="grow" />
      <Windows trace={trace} />
    </div>
  );
}

function FoldServices({ trace, folded }: { trace: Trace; folded: ReadonlySet<number> }) {
  const set = (services: number[]) =>
    change({ foldsvc: services.map((index) => trace.services[index]!.name).join("\n"), fold: null });
  if (trace.services.length < 2) return null;
  return (
    <label className="row dim" style={{ gap: 4 }}>
      fold
      <select
        className="input"
        value=""
        style={{ maxWidth: 140 }}
        onChange={(event) => {
          const index = Number(event.target.value);
          set(
            folded.has(index)
              ? [...folded].filter((one) => one !== index)
              : [...folded].filter((one) => one >= 0).concat(index),
          );
        }}
      >
        <option value="">{folded.size > 0 ? `${folded.size} services` : "service"}</option>
        {trace.services.slice(0, 200).map((service, index) => (
          <option key={service.name} value={index}>
            {folded.has(index) ? "✓ " : ""}
            {name(service.name)}
          </option>
        ))}
      </select>
    </label>
  );
}

function Find({ find, input, matches, jump, at }: Pick<Props, "find" | "input" | "matches" | "jump" | "at">) {
  const [typed, setTyped] = useState(find);
  // Back and links change the address from outside.
  useEffect(() => setTyped(find), [find]);
  useEffect(() => {
    if (typed === find) return;
    const timer = setTimeout(() => change({ find: typed }, true), REST_MS);
    return () => clearTimeout(timer);
  }, [typed, find]);
  const list = matches?.matches ?? [];
  const place = list.indexOf(at);
  return (
    <div className="row" role="search">
      <input
        ref={input}
        className="input"
        style={{ width: 240 }}
        aria-label="Search in this trace"
        placeholder="Search spans and attributes"
        title="Ctrl-F; key=value finds an attribute"
        value={typed}
        spellCheck={false}
        onChange={(event) => setTyped(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter") jump(event.shiftKey ? -1 : 1);
          if (event.key === "Escape") {
            setTyped("");
            event.currentTarget.blur();
          }
        }}
      />
      {matches && (
        <span className="dim" role="status">
          {list.length === 0
            ? "nothing"
            : `${place >= 0 ? `${place + 1} of ` : ""}${count(list.length + matches.matches_left_out)}`}
        </span>
      )}
    </div>
  );
}

function Windows({ trace }: { trace: Trace }) {
  const end = trace.first + trace.rows;
  if (trace.first === 0 && end >= trace.spans) return null;
  const size = Math.max(1, trace.rows);
  const to = (row: number) => change({ row: row > 0 ? row : null, fold: null, root: null, span: null });
  return (
    <span className="row">
      <button
        type="button"
        className="button"
        disabled={trace.first === 0}
        onClick={() => to(Math.max(0, trace.first - size))}
      >
        ‹
      </button>
      <span className="dim">
        spans {count(trace.first + 1)}–{count(end)} of {count(trace.spans)}
      </span>
      <button type="button" className="button" disabled={end >= trace.spans} onClick={() => to(end)}>
        ›
      </button>
    </span>
  );
}
