// `/compare`: two traces, or one operation in two time ranges or versions.

import { useMemo, useState } from "react";
import type { Trace } from "../api/trace";
import { DifferencesView } from "../components/DifferencesView";
import { name, ServiceName } from "../components/Names";
import { Failure, Shown, Skeleton } from "../components/States";
import { TraceDifferences } from "../components/TraceDifferences";
import { duration } from "../format/duration";
import { count } from "../format/number";
import { moment, msOf } from "../format/time";
import { useDifferences, useTrace } from "../hooks/data";
import { change, href, useParam } from "../hooks/location";
import { useRange } from "../hooks/range";

export default function ComparePage() {
  const [a, b, service] = [useParam("a"), useParam("b"), useParam("service")];
  if (a !== "" || b !== "" || service === "") return <Traces a={a} b={b} />;
  return <Selections service={service} />;
}

const never = () => undefined;

function Traces({ a, b }: { a: string; b: string }) {
  return (
    <div className="pad">
      <div className="headline">
        <h1>Compare two traces</h1>
        <span className="grow" />
        {a !== "" && b !== "" && (
          <button type="button" className="button" onClick={() => change({ a: b, b: a })}>
            Swap
          </button>
        )}
      </div>
      {a !== "" && b !== "" ? <Both a={a} b={b} /> : <Choose a={a} b={b} />}
    </div>
  );
}

/** Any spelling with its 32 digits in it: an id, a traceparent, a link. */
export function idIn(text: string): string | null {
  return (
    /(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])/i
      .exec(text.replace(/-(?=[0-9a-f]{4}-|[0-9a-f]{12}(?![0-9a-f]))/gi, ""))?.[0]
      .toLowerCase() ?? null
  );
}

function Choose({ a, b }: { a: string; b: string }) {
  const [one, setOne] = useState(a);
  const [other, setOther] = useState(b);
  const ids = [idIn(one), idIn(other)] as const;
  return (
    <form
      className="state"
      style={{ display: "grid", gap: 8 }}
      onSubmit={(event) => {
        event.preventDefault();
        if (ids[0] && ids[1]) change({ a: ids[0], b: ids[1] });
      }}
    >
      <p className="dim">
        Two ids of traces. In the{" "}
        <a className="link" href={href("/traces")}>
          list of traces
        </a>
        , Shift-click (or x) on two does the same.
      </p>
      <input
        className="input mono"
        aria-label="First trace"
        value={one}
        onChange={(event) => setOne(event.target.value)}
        placeholder="first trace's id"
        spellCheck={false}
      />
      <input
        className="input mono"
        aria-label="Second trace"
        value={other}
        onChange={(event) => setOther(event.target.value)}
        placeholder="second trace's id"
        spellCheck={false}
      />
      <div>
        <button type="submit" className="button primary" disabled={!ids[0] || !ids[1]}>
          Compare
        </button>
      </div>
    </form>
  );
}

function Both({ a, b }: { a: string; b: string }) {
  const [one, other] = [useTrace(a, 0, never), useTrace(b, 0, never)];
  const error = one.error ?? other.error;
  if (one.data && other.data) {
    return (
      <>
        <div className="two">
          <Head mark="var(--water)" title="A" trace={one.data} />
          <Head mark="var(--line-strong)" title="B" trace={other.data} />
        </div>
        <TraceDifferences a={one.data} b={other.data} />
      </>
    );
  }
  if (error) return <Failure error={error} again={() => (one.error ? one : other).again()} />;
  return one.waiting || other.waiting ? <Skeleton rows={14} /> : null;
}

function Head({ mark, title, trace }: { mark: string; title: string; trace: Trace }) {
  const root = trace.roots[0] ?? 0;
  const service = trace.services[trace.service[root] ?? 0]?.name ?? "";
  return (
    <a href={href(`/trace/${trace.trace_id}`)}>
      <h2 className="service">
        <span className="swatch" style={{ background: mark }} /> {title}: {name(service)} ·{" "}
        {name(trace.operations[trace.operation[root] ?? 0] ?? "")}
      </h2>
      <div className="facts">
        <span>{moment(msOf(trace.start_ns))}</span>
        <span>
          <b>{duration(trace.duration_ns)}</b>
        </span>
        <span>
          <b>{count(trace.spans)}</b> spans
        </span>
        {trace.errors.length > 0 && <span className="error">! {count(trace.errors.length)} failed</span>}
        <span className="mono">{trace.trace_id.slice(0, 16)}…</span>
      </div>
    </a>
  );
}

/** `aq`, `afrom`, `ato` and the same for `b`: what each side adds to service and operation. */
function Selections({ service }: { service: string }) {
  const range = useRange();
  const names = ["operation", "q", "aq", "afrom", "ato", "bq", "bfrom", "bto"] as const;
  const [operation, q, aq, afrom, ato, bq, bfrom, bto] = names.map(useParam);
  const params = useMemo(
    () => ({
      service,
      operation,
      q,
      spans: "entry",
      from: range.from || "1970-01-01",
      to: range.to,
      "a.q": aq,
      "a.from": afrom,
      "a.to": ato,
      "b.q": bq,
      "b.from": bfrom,
      "b.to": bto,
    }),
    [service, operation, q, range, aq, afrom, ato, bq, bfrom, bto],
  );
  const asked = useDifferences(params, true);
  const title = (...parts: (string | undefined)[]) => parts.filter(Boolean).join(" ");
  return (
    <div className="pad">
      <div className="headline">
        <h1>Compare</h1>
        <ServiceName service={service} />
        {operation && <span>· {name(operation)}</span>}
      </div>
      <form
        key={[aq, afrom, ato, bq, bfrom, bto].join("\n")}
        className="two"
        style={{ marginBottom: 12 }}
        onSubmit={(event) => {
          event.preventDefault();
          const data = new FormData(event.currentTarget);
          change(
            Object.fromEntries(
              ["aq", "afrom", "ato", "bq", "bfrom", "bto"].map((key) => [key, String(data.get(key) ?? "").trim()]),
            ),
          );
        }}
      >
        <SideFields side="a" title="A" q={aq ?? ""} from={afrom ?? ""} to={ato ?? ""} />
        <SideFields side="b" title="B" q={bq ?? ""} from={bfrom ?? ""} to={bto ?? ""} />
        <div style={{ paddingTop: 4 }}>
          <button type="submit" className="button primary">
            Compare
          </button>
        </div>
      </form>
      <Shown asked={asked} rows={12}>
        {(data) => (
          <DifferencesView
            differences={data}
            a={title("A", aq, afrom, ato)}
            b={bq || bfrom || bto ? title("B", bq, bfrom, bto) : "B: all others"}
            q={title(`service=${JSON.stringify(service)}`, aq)}
          />
        )}
      </Shown>
    </div>
  );
}

function SideFields({
  side,
  title,
  q,
  from,
  to,
}: {
  side: string;
  title: string;
  q: string;
  from: string;
  to: string;
}) {
  return (
    <fieldset style={{ border: 0, padding: 0, margin: 0 }} className="row">
      <b>{title}</b>
      <input
        className="input mono grow"
        name={`${side}q`}
        defaultValue={q}
        placeholder="service.version=1.8.0"
        aria-label={`${title}: conditions`}
        spellCheck={false}
      />
      <input
        className="input mono"
        style={{ width: 110 }}
        name={`${side}from`}
        defaultValue={from}
        placeholder="from"
        aria-label={`${title}: from`}
      />
      <input
        className="input mono"
        style={{ width: 110 }}
        name={`${side}to`}
        defaultValue={to}
        placeholder="to"
        aria-label={`${title}: to`}
      />
    </fieldset>
  );
}
