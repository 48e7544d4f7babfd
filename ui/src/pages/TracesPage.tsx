// `/traces`: search. The list, a heatmap above it, and what is different within a piece of the heatmap.

import { useEffect, useMemo, useRef, useState } from "react";
import { ApiError } from "../api/http";
import type { Summary } from "../api/search";
import { DifferencesView } from "../components/DifferencesView";
import { HeatmapView, type Selection } from "../components/HeatmapView";
import { Duration, name, ServiceName } from "../components/Names";
import { NoData } from "../components/NoData";
import { QueryBar } from "../components/QueryBar";
import { Empty, Failure, Partial, Shown, Skeleton } from "../components/States";
import { parse } from "../format/conditions";
import { durationText } from "../format/duration";
import { hueColor, hueIndex } from "../format/hue";
import { about, count } from "../format/number";
import { clock, moment, msOf } from "../format/time";
import { useAsked } from "../hooks/ask";
import { useDifferences, useHeatmap, useSearch } from "../hooks/data";
import { useShortcuts } from "../hooks/keys";
import { change, go, href, useParam } from "../hooks/location";
import { useRange } from "../hooks/range";
import { useTheme } from "../hooks/theme";
import { isVisited } from "../hooks/visited";

export default function TracesPage() {
  const range = useRange();
  const [q, service, operation] = [useParam("q"), useParam("service"), useParam("operation")];
  const query = { q: q || undefined, service: service || undefined, operation: operation || undefined };
  const selection = useSelection();
  const within = { ...query, q: [q, selection ? conditionsOf(selection) : ""].filter(Boolean).join(" ") || undefined };
  const found = useSearch(within, selection ? { from: selection.from, to: selection.to, live: false } : range);
  const asked = useAsked(found);
  // Conditions look into every span; without them calls are what counts.
  const spans = parse(q).conditions.some(({ key }) => key !== "service" && key !== "operation") ? "all" : "entry";
  const heatmap = useHeatmap({ ...query, spans, steps: 120, rows: 32 }, range);
  const differences = useDifferences(
    {
      ...query,
      spans,
      from: range.from || "1970-01-01",
      to: range.to,
      "a.q": selection ? conditionsOf(selection) : "",
      "a.from": selection?.from,
      "a.to": selection?.to,
    },
    selection !== null,
  );
  useShortcuts([{ keys: "Escape", about: "Everything again", run: () => pick(null) }]);
  const traces = useMemo(() => found.data?.pages.flatMap((page) => page.traces) ?? [], [found.data]);
  const [first] = found.data?.pages ?? [];
  const mistake = found.error instanceof ApiError ? found.error.position : null;
  return (
    <div className="pad">
      <div className="headline">
        <h1>Traces</h1>
        {service !== "" && (
          <span className="chip">
            <ServiceName service={service} />
            {operation !== "" && <> · {name(operation)}</>}
            <button
              type="button"
              aria-label="Without service"
              onClick={() => change({ service: null, operation: null })}
            >
              ×
            </button>
          </span>
        )}
        <span className="grow" />
        {found.isFetching && <span className="dim">searching …</span>}
        <button type="button" className="button" onClick={() => void found.refetch()} title="Search again">
          Newest
        </button>
      </div>
      <QueryBar position={mistake} />
      <Shown asked={heatmap} rows={6}>
        {(data) => (data.spans > 0 ? <HeatmapView heatmap={data} picked={selection} pick={pick} /> : null)}
      </Shown>
      {selection && (
        <section className="section">
          <div className="headline">
            <h2>What is different there</h2>
            <span className="dim">
              {clock(msOf(selection.from), false)} – {clock(msOf(selection.to), false)},{" "}
              {durationText(selection.shortest)} – {durationText(selection.longest)}
            </span>
            <span className="grow" />
            <button type="button" className="button" onClick={() => pick(null)}>
              Everything again
            </button>
          </div>
          <Shown asked={differences}>
            {(data) => <DifferencesView differences={data} a="There" b="Everywhere else" q={q} />}
          </Shown>
        </section>
      )}
      <section className="section">
        {asked.error && traces.length === 0 ? (
          <Failure error={asked.error} again={asked.again} />
        ) : found.isLoading ? (
          asked.waiting && <Skeleton rows={14} />
        ) : traces.length === 0 ? (
          q || service || selection ? (
            <Empty title="No trace fits">
              {first?.partial
                ? first.partial_because.join("; ")
                : "In this time range. A longer one, or fewer conditions?"}
            </Empty>
          ) : (
            <NoData range={range} />
          )
        ) : (
          <div className={asked.stale ? "stale" : undefined}>
            <Partial partial={first?.partial ?? false} because={first?.partial_because ?? []} />
            <List traces={traces} />
            {found.hasNextPage && (
              <p style={{ padding: 8 }}>
                <button
                  type="button"
                  className="button"
                  onClick={() => void found.fetchNextPage()}
                  disabled={found.isFetchingNextPage}
                >
                  Older traces
                </button>
              </p>
            )}
          </div>
        )}
      </section>
    </div>
  );
}

/** `pick=from~to~shortest~longest`. */
function useSelection(): Selection | null {
  const picked = useParam("pick");
  return useMemo(() => {
    const match = /^(\d{1,20})~(\d{1,20})~(\d{1,19})~(\d{1,19})$/.exec(picked);
    return match ? { from: match[1]!, to: match[2]!, shortest: Number(match[3]), longest: Number(match[4]) } : null;
  }, [picked]);
}

function pick(selection: Selection | null) {
  change({
    pick:
      selection &&
      `${selection.from}~${selection.to}~${Math.floor(selection.shortest)}~${Math.ceil(selection.longest)}`,
  });
}

function conditionsOf({ shortest, longest }: Selection): string {
  return [shortest > 0 && `duration>=${Math.floor(shortest)}ns`, `duration<=${Math.ceil(longest)}ns`]
    .filter(Boolean)
    .join(" ");
}

const SERVICES_SHOWN = 8;

function List({ traces }: { traces: readonly Summary[] }) {
  const { dark } = useTheme();
  const [at, setAt] = useState(-1);
  const [marked, setMarked] = useState<string | null>(null);
  const body = useRef<HTMLTableSectionElement>(null);
  useEffect(() => {
    if (at >= 0) body.current?.children[at]?.scrollIntoView({ block: "nearest" });
  }, [at]);
  const move = (step: number) => setAt((before) => Math.max(0, Math.min(traces.length - 1, before + step)));
  const mark = (id: string) => {
    if (marked === null) setMarked(id);
    else if (marked === id) setMarked(null);
    else go(href("/compare", { a: marked, b: id }));
  };
  useShortcuts([
    { keys: "j", about: "Next trace", run: () => move(1) },
    { keys: "k", about: "Previous trace", run: () => move(-1) },
    { keys: "Enter", about: "Open the trace", run: () => traces[at] && go(linkOf(traces[at])) },
    {
      keys: "x",
      about: "Mark the trace; a second one is compared with it",
      run: () => traces[at] && mark(traces[at].trace_id),
    },
  ]);
  const longest = traces.reduce((most, { duration_ns }) => Math.max(most, duration_ns), 1);
  const sameDay = new Set(traces.map(({ start_ns }) => new Date(msOf(start_ns)).toDateString())).size === 1;
  return (
    <>
      {marked && (
        <p className="note" style={{ background: "var(--chosen)", color: "var(--text)" }}>
          {marked.slice(0, 8)} is marked: mark another one (Shift-click, x) to compare them.
        </p>
      )}
      <table className="table" aria-label="Traces">
        <thead>
          <tr>
            <th>Start</th>
            <th>Root</th>
            <th className="right">Duration</th>
            <th style={{ width: 120 }} aria-label="Duration, to scale" />
            <th className="right">Spans</th>
            <th className="right">Failed</th>
            <th>Services</th>
            <th>State</th>
            <th>Trace</th>
          </tr>
        </thead>
        <tbody ref={body}>
          {traces.map((trace, index) => (
            <tr
              key={trace.trace_id}
              aria-selected={index === at || trace.trace_id === marked}
              className={isVisited(trace.trace_id) ? "visited" : undefined}
              onClickCapture={(event) => {
                if (!event.shiftKey) return;
                event.preventDefault();
                event.stopPropagation();
                mark(trace.trace_id);
              }}
            >
              <td>{sameDay ? clock(msOf(trace.start_ns)) : moment(msOf(trace.start_ns))}</td>
              <td className="wide">
                <a href={linkOf(trace)}>
                  {trace.root ? (
                    <>
                      <b style={{ fontWeight: 550 }}>{name(trace.root.service)}</b> {name(trace.root.operation)}
                    </>
                  ) : (
                    <i className="dim">
                      no root yet
                      {trace.matched ? `: ${name(trace.matched.service)} ${name(trace.matched.operation)}` : ""}
                    </i>
                  )}
                </a>
              </td>
              <td className="right">
                <Duration ns={trace.duration_ns} />
              </td>
              <td>
                <span className="share" style={{ width: `${Math.max(1, (trace.duration_ns / longest) * 100)}px` }} />
              </td>
              <td className="right">
                {trace.is_whole ? "" : "≥ "}
                {count(trace.spans)}
              </td>
              <td className="right">
                {trace.errors > 0 ? <span className="error">! {count(trace.errors)}</span> : ""}
              </td>
              <td>
                <span
                  className="row"
                  style={{ gap: 3 }}
                  title={trace.services.map((one) => `${one.name} ${one.spans}`).join("\n")}
                >
                  {trace.services.slice(0, SERVICES_SHOWN).map((one) => (
                    <span
                      key={one.name}
                      className="swatch"
                      style={{ background: hueColor(hueIndex(one.name), dark) }}
                    />
                  ))}
                  <span className="dim">{trace.services.length + trace.services_left_out}</span>
                </span>
              </td>
              <td>
                {trace.state === "pending" ? (
                  <span className="row" style={{ gap: 4 }}>
                    <span className="pulse" /> pending
                  </span>
                ) : (
                  <span className="dim">
                    {trace.policy ? name(trace.policy) : "kept"}
                    {trace.adjusted_count > 1 && ` ${about(count(trace.adjusted_count), true)}`}
                  </span>
                )}
              </td>
              <td className="mono dim">{trace.trace_id.slice(0, 8)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

/** To the span that fits, not only to the trace. */
function linkOf(trace: Summary): string {
  const span = trace.matched && trace.matched.status === "error" ? trace.matched.span_id : null;
  return href(`/trace/${trace.trace_id}`, { span });
}
