// What a trace is, in two lines: root, time, size, services, state, and what is odd about it.

import { useMemo } from "react";
import type { Trace } from "../api/trace";
import { duration } from "../format/duration";
import { count, percent } from "../format/number";
import { moment, msOf } from "../format/time";
import { href, useParam } from "../hooks/location";
import { useRangeAround } from "../hooks/range";
import { warningsOf } from "../hooks/traceWarnings";
import { Copy } from "./Copy";
import { name } from "./Names";
import { Partial } from "./States";

const SERVICES_SHOWN = 12;

export function TraceHead({ trace, colors, jump }: { trace: Trace; colors: readonly string[]; jump: () => void }) {
  const warnings = useMemo(() => warningsOf(trace), [trace]);
  const root = (trace.roots[0] ?? 0) - trace.first;
  const known = root >= 0 && root < trace.rows;
  const service = known ? (trace.services[trace.service[root]!]?.name ?? "") : "";
  const operation = known ? (trace.operations[trace.operation[root]!] ?? "") : "";
  const errors = trace.errors.length + trace.errors_left_out;
  const other = useParam("with");
  const around = useRangeAround(trace.start_ns);
  // Where the time is, not who speaks most.
  const services = useMemo(
    () => trace.services.map((one, index) => ({ ...one, index })).sort((a, b) => b.self_ns - a.self_ns),
    [trace.services],
  );
  const own = services.reduce((sum, one) => sum + one.self_ns, 0) || 1;
  return (
    <div className="trace-head">
      <div className="row">
        <h1 className="cut">
          {known ? (
            <>
              {name(service)} <span className="dim">·</span> {name(operation)}
            </>
          ) : (
            "Trace"
          )}
        </h1>
        <span className="grow" />
        {trace.state === "pending" && (
          <span className="chip" title="Sampling has not decided yet; more spans may come">
            <span className="pulse" /> pending
          </span>
        )}
        {trace.policy && (
          <span className="chip" title="The sampling policy that kept it">
            kept by {trace.policy}
          </span>
        )}
        {trace.adjusted_count > 1 && <span className="chip">≈ stands for {count(trace.adjusted_count)}</span>}
        <a className="button" href={href("/compare", { a: trace.trace_id, b: other })}>
          Compare
        </a>
      </div>
      <div className="facts">
        <span className="mono">
          {trace.trace_id} <Copy text={trace.trace_id} label="Copy the trace's id" />
        </span>
        <span>
          <b>{moment(msOf(trace.start_ns))}</b>
        </span>
        <span>
          <b>{duration(trace.duration_ns)}</b>
        </span>
        <span>
          <b>{count(trace.spans)}</b> spans
        </span>
        <span>
          depth <b>{trace.depth_max + 1}</b>
        </span>
        {errors > 0 && (
          <button
            type="button"
            className="chip error error"
            style={{ cursor: "pointer" }}
            onClick={jump}
            title="To the next one (n)"
          >
            ! {count(errors)} failed
          </button>
        )}
        {services.slice(0, SERVICES_SHOWN).map(({ name: one, index, spans, self_ns }) => (
          <a
            key={one}
            className="service"
            href={href(`/service/${encodeURIComponent(one)}`, around)}
            title={`${spans} spans, ${percent(self_ns / own)} of the time`}
          >
            <span className="swatch" style={{ background: colors[index] }} />
            <b>{name(one)}</b> {percent(self_ns / own)}
          </a>
        ))}
        {services.length > SERVICES_SHOWN && <span>+{services.length - SERVICES_SHOWN} services</span>}
      </div>
      {(trace.partial || warnings.length > 0) && (
        <div className="row" style={{ marginTop: 4, flexWrap: "wrap" }}>
          <Partial partial={trace.partial} because={trace.partial_because} />
          {warnings.length > 0 && <p className="note">{warnings.join(" · ")}</p>}
        </div>
      )}
    </div>
  );
}
