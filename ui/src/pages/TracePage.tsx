// `/trace/{id}`: one trace as waterfall, flamegraph, table and lines, with a span beside it.

import { useEffect, useMemo, useRef } from "react";
import { ApiError } from "../api/http";
import type { Trace } from "../api/trace";
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
import { change, useNumber, useParam } from "../hooks/location";
import { useNameWidth } from "../hooks/nameWidth";
import { useTheme } from "../hooks/theme";
import { useTraceKeys } from "../hooks/traceKeys";
import { useTraceSteps } from "../hooks/traceSteps";
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
  const moves = useTraceMoves(trace, view);
  const steps = useTraceSteps(trace, view, moves);
  const { show, goto, see, jump, asRoot } = steps;
  const spanId = useParam("span");
  const shown = useParam("view") || "waterfall";
  const find = useParam("find");
  const matches = useMatches(id, find);
  const [names, setNames] = useNameWidth();
  const search = useRef<HTMLInputElement>(null);
  const colors = useMemo(
    () => hueIndices(trace.services.map(({ name }) => name)).map((index) => hueColor(index, dark)),
    [trace.services, dark],
  );
  const found = useMemo(() => new Set(find === "" ? [] : matches.data?.matches), [find, matches.data]);
  const { chosen } = view;
  useTraceKeys(trace, view, { moves, steps, search });

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
              <Minimap trace={trace} colors={colors} from={view.from} to={view.to} zoom={moves.zoom} see={see} />
              <Ruler from={view.from} to={view.to} names={names} widen={setNames} />
              <Waterfall
                trace={trace}
                view={view}
                colors={colors}
                found={found}
                flip={moves.flip}
                choose={moves.choose}
                folded={moves.folded}
                reveal={steps.reveal}
                sight={steps.sight}
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
