// `/trace/{id}`: one trace as waterfall, flamegraph, table and lines, with a span beside it.

import { useEffect, useMemo, useRef, useState } from "react";
import { ApiError } from "../api/http";
import { idOf, type Trace } from "../api/trace";
import { Flamegraph } from "../components/Flamegraph";
import { Minimap } from "../components/Minimap";
import { MissingTrace } from "../components/MissingTrace";
import { OperationTable } from "../components/OperationTable";
import { Ruler } from "../components/Ruler";
import { SpanDrawer } from "../components/SpanDrawer";
import { Failure, Skeleton } from "../components/States";
import { TraceHead } from "../components/TraceHead";
import { TraceLines } from "../components/TraceLines";
import { TraceTools } from "../components/TraceTools";
import { Waterfall } from "../components/Waterfall";
import { hueColor, hueIndices } from "../format/hue";
import { useMatches, useTrace } from "../hooks/data";
import { useShortcuts } from "../hooks/keys";
import { change, useNumber, useParam } from "../hooks/location";
import { useNameWidth } from "../hooks/nameWidth";
import { useTheme } from "../hooks/theme";
import { nextOf, placeOf } from "../hooks/traceRows";
import { useTraceMoves, useTraceView } from "../hooks/traceView";
import { visit } from "../hooks/visited";
import type { PageProps } from "./routes";

/** A trace without its verdict may still grow. */
const GROWING_MS = 3_000;
/** Traces larger than this are not asked for again by themselves. */
const GROWING_SPANS_MAX = 20_000;

export default function TracePage({ params }: PageProps) {
  const id = (params.id ?? "").toLowerCase();
  const row = useNumber("row", 0);
  const asked = useTrace(id, row, (trace) =>
    trace?.state === "pending" && trace.spans < GROWING_SPANS_MAX ? GROWING_MS : undefined,
  );
  useEffect(() => visit(id), [id]);
  if (asked.data) return <Loaded id={id} trace={asked.data} />;
  if (asked.error instanceof ApiError && asked.error.status === 404) return <MissingTrace id={id} />;
  if (asked.error) return <Failure error={asked.error} again={asked.again} />;
  return asked.waiting ? <Skeleton rows={20} /> : null;
}

function Loaded({ id, trace }: { id: string; trace: Trace }) {
  const { dark } = useTheme();
  const view = useTraceView(trace);
  const { flip, choose, zoom, folded } = useTraceMoves(trace, view);
  const spanId = useParam("span");
  const shown = useParam("view") || "waterfall";
  const find = useParam("find");
  const matches = useMatches(id, find);
  const [names, setNames] = useNameWidth();
  const [reveal, setReveal] = useState(0);
  const [sight, setSight] = useState<{ row: number } | null>(null);
  const search = useRef<HTMLInputElement>(null);
  const colors = useMemo(
    () => hueIndices(trace.services.map(({ name }) => name)).map((index) => hueColor(index, dark)),
    [trace.services, dark],
  );
  const found = useMemo(() => new Set(find === "" ? [] : matches.data?.matches), [find, matches.data]);
  const { rows, chosen } = view;

  const show = (index: number, quiet: boolean) => {
    choose(index, quiet);
    setReveal((before) => before + 1);
  };
  /** To a row of the whole trace, which may be in another window. */
  const goto = (row: number, quiet = false) => {
    const index = row - trace.first;
    if (index >= 0 && index < trace.rows) show(index, quiet);
    else change({ row, span: null, fold: null });
  };
  /** Brings a row of the whole trace into sight; from another window, that window. */
  const see = (row: number) => {
    const index = row - trace.first;
    if (index >= 0 && index < trace.rows) setSight({ row: index });
    else change({ row: Math.max(0, row - Math.floor(trace.rows / 2)) || null, span: null, fold: null });
  };
  const jump = (list: readonly number[], step: 1 | -1) => {
    const next = nextOf(list, chosen >= 0 ? chosen + trace.first : step === 1 ? -1 : trace.spans, step);
    if (next !== null) goto(next, true);
  };
  const move = (step: number) => {
    if (rows.length === 0) return;
    const place = chosen < 0 ? (step > 0 ? 0 : rows.length - 1) : placeOf(rows, chosen) + step;
    show(rows[Math.max(0, Math.min(rows.length - 1, place))]!, true);
  };
  const narrow = (factor: number) => {
    const middle = chosen >= 0 ? trace.start[chosen]! + trace.duration[chosen]! / 2 : (view.from + view.to) / 2;
    const half = ((view.to - view.from) / 2) * factor;
    const [from, to] = [Math.max(0, middle - half), Math.min(trace.duration_ns, middle + half)];
    zoom(...((from <= 0 && to >= trace.duration_ns ? [0, 0] : [from, to]) as [number, number]));
  };
  const asRoot = () => chosen >= 0 && change({ root: idOf(trace, chosen), zoom: null });
  useShortcuts([
    { keys: "j", about: "Next span", run: () => move(1) },
    { keys: "k", about: "Previous span", run: () => move(-1) },
    { keys: "ArrowDown", about: "Next span", run: () => move(1) },
    { keys: "ArrowUp", about: "Previous span", run: () => move(-1) },
    { keys: "n", about: "Next failed span", run: () => jump(trace.errors, 1) },
    { keys: "p", about: "Previous failed span", run: () => jump(trace.errors, -1) },
    { keys: "ctrl+f", about: "Search in this trace", run: () => search.current?.select(), always: true },
    { keys: "Enter", about: "Fold or unfold", run: () => chosen >= 0 && flip(chosen) },
    { keys: "ArrowLeft", about: "Fold, or to the parent", run: () => left() },
    { keys: "ArrowRight", about: "Unfold", run: () => chosen >= 0 && folded(chosen) && flip(chosen) },
    { keys: "r", about: "The span alone, with what is below it", run: asRoot },
    { keys: "c", about: "The critical path alone", run: () => change({ critical: view.shape.critical ? null : "1" }) },
    { keys: "+", about: "Zoom in", run: () => narrow(0.5) },
    { keys: "-", about: "Zoom out", run: () => narrow(2) },
    { keys: "0", about: "All of the trace", run: () => change({ zoom: null, root: null }) },
    { keys: "1", about: "Waterfall", run: () => change({ view: null }) },
    { keys: "2", about: "Flamegraph", run: () => change({ view: "flame" }) },
    { keys: "3", about: "Table by operation", run: () => change({ view: "table" }) },
    { keys: "4", about: "Log lines", run: () => change({ view: "lines" }) },
    { keys: "Escape", about: "Close the span", run: () => change({ span: null }) },
  ]);
  const left = () => {
    if (chosen < 0) return;
    if (trace.descendants[chosen]! > 0 && !folded(chosen)) return flip(chosen);
    const parent = trace.parent[chosen]!;
    if (parent >= 0) goto(parent, true);
  };

  return (
    <div className="trace fill">
      <TraceHead trace={trace} colors={colors} jump={() => jump(trace.errors, 1)} />
      <TraceTools
        trace={trace}
        view={view}
        shown={shown}
        find={find}
        input={search}
        matches={matches.data}
        jump={(step) => jump(matches.data?.matches ?? [], step)}
        at={chosen + trace.first}
      />
      <div className="trace-body">
        <div className="trace-main" style={{ "--names": `${names}%` } as React.CSSProperties}>
          {shown === "waterfall" ? (
            <>
              <Minimap trace={trace} colors={colors} from={view.from} to={view.to} zoom={zoom} see={see} />
              <Ruler from={view.from} to={view.to} names={names} widen={setNames} />
              <Waterfall
                trace={trace}
                view={view}
                colors={colors}
                found={found}
                flip={flip}
                choose={choose}
                folded={folded}
                reveal={reveal}
                sight={sight}
              />
            </>
          ) : (
            <div style={{ gridRow: "1 / -1", minHeight: 0, overflow: "auto" }}>
              {shown === "flame" && (
                <Flamegraph trace={trace} colors={colors} root={view.shape.root} choose={(row) => show(row, false)} />
              )}
              {shown === "table" && <OperationTable trace={trace} colors={colors} choose={(row) => show(row, false)} />}
              {shown === "lines" && <TraceLines trace={trace} colors={colors} choose={(row) => show(row, false)} />}
            </div>
          )}
        </div>
        {spanId !== "" && (
          <SpanDrawer
            trace={id}
            span={spanId}
            startNs={trace.start_ns}
            color={chosen >= 0 ? colors[trace.service[chosen]!] : undefined}
            close={() => change({ span: null })}
            goto={goto}
            asRoot={asRoot}
          />
        )}
      </div>
    </div>
  );
}
