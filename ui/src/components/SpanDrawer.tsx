// One span beside the waterfall: what it was, its attributes, events, links, log lines, and the raw form.

import { useState } from "react";
import { type Attribute, type SpanAnswer, type SpanEvent, shownValue } from "../api/span";
import { duration } from "../format/duration";
import { message, spread } from "../format/line";
import { percent } from "../format/number";
import { cut, visible } from "../format/text";
import { clock, moment, msOf } from "../format/time";
import { useSpan } from "../hooks/data";
import { href } from "../hooks/location";
import { useRested } from "../hooks/rested";
import { Attributes } from "./Attributes";
import { Icon } from "./Icon";
import { name, ServiceName } from "./Names";
import { Failure, Partial, Skeleton } from "./States";

const KINDS = ["unspecified", "internal", "server", "client", "producer", "consumer"];
const BODY_CHARS = 2000;
/** While a held key runs over spans none of them is asked for. */
const REST_MS = 100;

interface Props {
  trace: string;
  span: string;
  startNs: string;
  color: string | undefined;
  close: () => void;
  /** Goes to a row of the whole trace. */
  goto: (row: number) => void;
  asRoot: () => void;
}

export function SpanDrawer({ trace, span, startNs, color, close, goto, asRoot }: Props) {
  const rested = useRested(span, REST_MS);
  const asked = useSpan(trace, rested);
  return (
    <aside className="drawer" aria-label="Span">
      {asked.data ? (
        <div className={asked.stale || rested !== span ? "stale" : undefined}>
          <Details answer={asked.data} startNs={startNs} color={color} close={close} goto={goto} asRoot={asRoot} />
        </div>
      ) : asked.error ? (
        <Failure error={asked.error} again={asked.again} />
      ) : (
        asked.waiting && <Skeleton rows={12} />
      )}
    </aside>
  );
}

interface DetailsProps extends Omit<Props, "trace" | "span"> {
  answer: SpanAnswer;
}

function Details({ answer, startNs, color, close, goto, asRoot }: DetailsProps) {
  const { span, service, resource, scope, parent, cut: cuts } = answer;
  const cutSizes = new Map(cuts.map((one) => [one.key, one.bytes]));
  const length = Number(BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano));
  const offset = Number(BigInt(span.startTimeUnixNano) - BigInt(startNs));
  const failed = span.status.code === 2;
  return (
    <>
      <div className="head">
        <div className="row">
          <ServiceName service={service} {...(color ? { color } : {})} />
          <span className="grow" />
          <button
            type="button"
            className="button quiet"
            onClick={asRoot}
            title="Show this span and what is below it alone (r)"
          >
            As root
          </button>
          <button type="button" className="button quiet" onClick={close} aria-label="Close" title="Close (Esc)">
            <Icon name="close" />
          </button>
        </div>
        <h2 style={{ overflowWrap: "anywhere" }}>{name(span.name)}</h2>
        <div className="facts">
          <span>
            <b>{duration(Math.max(0, length))}</b>
          </span>
          <span>
            own <b>{duration(Number(span.selfTimeNs))}</b>
          </span>
          {span.criticalPathNs !== "0" && (
            <span>
              critical path <b>{duration(Number(span.criticalPathNs))}</b>
            </span>
          )}
          <span>
            starts at <b>{duration(offset)}</b>
          </span>
          <span>{KINDS[span.kind] ?? "unspecified"}</span>
        </div>
        {failed && (
          <p className="error" style={{ overflowWrap: "anywhere" }}>
            <span className="badge error">!</span> Failed
            {span.status.message ? `: ${visible(cut(span.status.message, BODY_CHARS))}` : ""}
          </p>
        )}
      </div>
      <Partial partial={answer.partial} because={answer.partial_because} />
      <Exceptions events={span.events} />
      <section>
        <h3>Attributes</h3>
        <Attributes attributes={span.attributes} cuts={cutSizes} service={service} startNs={startNs} />
      </section>
      <Events events={span.events} startNs={startNs} />
      {(span.logs.length > 0 || answer.logs_left_out > 0) && (
        <section>
          <h3>Log lines</h3>
          {span.logs.map((line, index) => (
            <LogLine key={index} line={line} startNs={startNs} />
          ))}
          {answer.logs_left_out > 0 && <p className="dim">and at least {answer.logs_left_out} more</p>}
        </section>
      )}
      {(span.links.length > 0 || answer.linked_from.length > 0) && (
        <section>
          <h3>Links</h3>
          {span.links.map((link) => (
            <div key={link.traceId + link.spanId}>
              <a className="link mono" href={href(`/trace/${link.traceId}`, { span: link.spanId })}>
                → {link.traceId.slice(0, 16)}… / {link.spanId}
              </a>
              {link.attributes.length > 0 && <Attributes attributes={link.attributes} filter={false} />}
            </div>
          ))}
          {answer.linked_from.map((link) => (
            <div key={link.span_id}>
              <button type="button" className="button quiet mono" onClick={() => goto(link.row)}>
                ← {link.span_id}
              </button>
            </div>
          ))}
        </section>
      )}
      <section>
        <h3>Resource</h3>
        <Attributes attributes={resource.attributes} service={service} cuts={cutSizes} startNs={startNs} />
      </section>
      <section>
        <h3>Span</h3>
        <table className="pairs">
          <tbody>
            <Fact title="span id">{answer.span_id}</Fact>
            <Fact title="parent">
              {parent ? (
                <button type="button" onClick={() => goto(parent.row)}>
                  {name(parent.service)} · {name(parent.operation)}
                </button>
              ) : span.parentSpanId ? (
                `${span.parentSpanId}, not here`
              ) : (
                "none: a root"
              )}
            </Fact>
            <Fact title="children">{answer.children}</Fact>
            <Fact title="start">{moment(msOf(span.startTimeUnixNano))}</Fact>
            {scope.name !== "" && <Fact title="scope">{visible(`${scope.name} ${scope.version}`)}</Fact>}
            {span.adjustedCount > 1 && (
              <Fact title="stands for">{`≈ ${span.adjustedCount} spans (${percent(1 / span.adjustedCount)} kept)`}</Fact>
            )}
            {span.traceState !== "" && <Fact title="tracestate">{visible(cut(span.traceState, 500))}</Fact>}
            {answer.of_id > 1 && <Fact title="id">{`used by ${answer.of_id} spans`}</Fact>}
          </tbody>
        </table>
      </section>
      <Raw answer={answer} />
    </>
  );
}

function Fact({ title, children }: { title: string; children: React.ReactNode }) {
  return (
    <tr>
      <th scope="row">{title}</th>
      <td>{children}</td>
    </tr>
  );
}

const attributeOf = (attributes: readonly Attribute[], key: string) => {
  const found = attributes.find((one) => one.key === key);
  return found ? shownValue(found.value).text : "";
};

/** What was thrown comes first: it is what one looks for. */
function Exceptions({ events }: { events: readonly SpanEvent[] }) {
  const thrown = events.filter((event) => event.name === "exception");
  if (thrown.length === 0) return null;
  return (
    <section>
      <h3>Exceptions</h3>
      {thrown.map(({ attributes, timeUnixNano }, index) => {
        const stack = attributeOf(attributes, "exception.stacktrace");
        return (
          <div key={`${timeUnixNano} ${index}`}>
            <p style={{ overflowWrap: "anywhere" }}>
              <b className="error">{visible(cut(attributeOf(attributes, "exception.type") || "exception", 200))}</b>{" "}
              {visible(cut(attributeOf(attributes, "exception.message"), BODY_CHARS))}
            </p>
            {stack && <pre className="stack">{visible(cut(stack, 64_000))}</pre>}
          </div>
        );
      })}
    </section>
  );
}

const EVENTS_SHOWN = 100;

function Events({ events, startNs }: { events: readonly SpanEvent[]; startNs: string }) {
  const others = events.filter((event) => event.name !== "exception");
  if (others.length === 0) return null;
  return (
    <section>
      <h3>Events</h3>
      {others.slice(0, EVENTS_SHOWN).map((event, index) => (
        <details key={`${event.timeUnixNano} ${index}`} open={others.length <= 3}>
          <summary>
            <span className="dim">{duration(Number(BigInt(event.timeUnixNano) - BigInt(startNs)))}</span>{" "}
            {name(event.name)}
          </summary>
          {event.attributes.length > 0 && <Attributes attributes={event.attributes} filter={false} />}
        </details>
      ))}
      {others.length > EVENTS_SHOWN && <p className="dim">and {others.length - EVENTS_SHOWN} more</p>}
    </section>
  );
}

export function severityClass(severity: number): string {
  return severity >= 17 ? "error" : severity >= 13 ? "warn" : "dim";
}

export function severityName(severity: number): string {
  return ["", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"][Math.ceil(severity / 4)] ?? "";
}

function LogLine({ line, startNs }: { line: SpanAnswer["span"]["logs"][number]; startNs: string }) {
  const time = line.timeUnixNano !== "0" ? line.timeUnixNano : line.observedTimeUnixNano;
  const body = shownValue(line.body).text;
  const whole = spread(body);
  return (
    <details>
      <summary className="mono" style={{ overflowWrap: "anywhere" }} title={clock(msOf(time))}>
        <span className="dim">{duration(Number(BigInt(time) - BigInt(startNs)))}</span>{" "}
        <b className={severityClass(line.severityNumber)}>{line.severityText || severityName(line.severityNumber)}</b>{" "}
        {visible(cut(message(body), BODY_CHARS))}
      </summary>
      {whole && <pre className="stack">{visible(cut(whole, BODY_CHARS * 4))}</pre>}
      {line.attributes.length > 0 && <Attributes attributes={line.attributes} filter={false} />}
    </details>
  );
}

function Raw({ answer }: { answer: SpanAnswer }) {
  const [open, setOpen] = useState(false);
  return (
    <section>
      <button type="button" className="button" onClick={() => setOpen(!open)} aria-expanded={open}>
        Raw
      </button>
      {open && (
        <pre className="stack">
          {visible(
            cut(
              JSON.stringify({ span: answer.span, resource: answer.resource, scope: answer.scope }, null, 1),
              256_000,
            ),
          )}
        </pre>
      )}
    </section>
  );
}
