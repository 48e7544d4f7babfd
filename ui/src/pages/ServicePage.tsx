// `/service/{name}`: one service: rate, errors, durations, operations, versions, who calls it and whom it calls, where time goes.

import { useMemo } from "react";
import type { Red } from "../api/red";
import { Bottlenecks } from "../components/Bottlenecks";
import { Callers } from "../components/Callers";
import { Chart, type Series } from "../components/Chart";
import { HeatmapView, type Selection } from "../components/HeatmapView";
import { Duration, name, ServiceName } from "../components/Names";
import { NoData } from "../components/NoData";
import { type Column, SortedTable } from "../components/SortedTable";
import { Sparkline } from "../components/Sparkline";
import { Partial, Shown } from "../components/States";
import { VersionTable } from "../components/VersionTable";
import { printOne } from "../format/conditions";
import { duration } from "../format/duration";
import { about, count, percent, rate, short } from "../format/number";
import { msOf } from "../format/time";
import { useHeatmap, useRed } from "../hooks/data";
import { change, go, href, useParam } from "../hooks/location";
import { before, useRange } from "../hooks/range";
import type { PageProps } from "./routes";

export default function ServicePage({ params }: PageProps) {
  const service = params.name ?? "";
  const range = useRange();
  const [operation, version] = [useParam("operation"), useParam("version")];
  const condition = version ? printOne({ key: "service.version", operator: "=", value: version }) : "";
  const query = { service, operation: operation || undefined, q: condition || undefined };
  const whole = useRed({ ...query, by: "service", steps: 60 }, range);
  const operations = useRed({ service, q: condition || undefined, by: "operation", steps: 30, limit: 500 }, range);
  const heatmap = useHeatmap({ ...query, steps: 120, rows: 28 }, range);
  const tracesOf = (q: string) => href("/traces", { service, operation, q: [condition, q].filter(Boolean).join(" ") });
  const past = before(range);
  const pick = (selection: Selection | null) =>
    selection &&
    go(
      href("/traces", {
        service,
        operation,
        q: condition,
        pick: `${selection.from}~${selection.to}~${Math.floor(selection.shortest)}~${Math.ceil(selection.longest)}`,
      }),
    );
  return (
    <div className="pad">
      <div className="headline">
        <h1>
          <ServiceName service={service} link={false} />
        </h1>
        <Chosen what="operation" value={operation} />
        <Chosen what="version" value={version} />
        <span className="grow" />
        {past && (
          <a
            className="button"
            href={href("/compare", {
              service,
              operation,
              q: condition,
              afrom: range.from,
              bfrom: past.from,
              bto: past.to,
            })}
            title="What is different from the same length of time before"
          >
            Compare with before
          </a>
        )}
        <a className="button" href={tracesOf("")}>
          Traces
        </a>
        <a className="button" href={tracesOf("status=error")}>
          Failed traces
        </a>
      </div>
      <Shown asked={whole} rows={8}>
        {(red) =>
          red.groups.length === 0 ? (
            <NoData range={range} />
          ) : (
            <>
              <Partial partial={red.partial} because={red.partial_because} />
              <Courses red={red} />
            </>
          )
        }
      </Shown>
      <Section title="Durations" note="calls by time and duration">
        <Shown asked={heatmap} rows={6}>
          {(data) => <HeatmapView heatmap={data} height={132} picked={null} pick={pick} />}
        </Shown>
      </Section>
      <Section title="Versions" note="side by side; differences only where there are calls enough">
        <VersionTable service={service} operation={operation} />
      </Section>
      <Section title="Operations">
        <Shown asked={operations}>
          {(red) => (
            <SortedTable
              param="sort"
              label="Operations"
              columns={operationColumns(service, red.weighted)}
              rows={red.groups}
              id={(group) => group.keys[0] ?? ""}
              open={(group) => href("/traces", { service, operation: group.keys[0] })}
              sorted="-time"
              keys
              rowsMax={50}
            />
          )}
        </Shown>
      </Section>
      <div className="two">
        <Section title="Called by, and calls">
          <Callers service={service} />
        </Section>
        <Section title="Where the time goes" note="on the critical path of the newest calls">
          <Bottlenecks service={service} operation={operation} />
        </Section>
      </div>
    </div>
  );
}

function Section({ title, note, children }: { title: string; note?: string; children: React.ReactNode }) {
  return (
    <section className="section">
      <div className="headline">
        <h2>{title}</h2>
        {note && <span className="dim">{note}</span>}
      </div>
      {children}
    </section>
  );
}

function Chosen({ what, value }: { what: string; value: string }) {
  if (value === "") return null;
  return (
    <span className="chip">
      <span className="dim">{what}</span> {name(value)}
      <button type="button" aria-label={`Every ${what}`} onClick={() => change({ [what]: null })}>
        ×
      </button>
    </span>
  );
}

const perSecond = (value: number) => rate(value);

function Courses({ red }: { red: Red }) {
  const group = red.groups[0]!;
  const { steps } = group;
  const seconds = red.step_ns / 1e9;
  const [calls, errors, durations] = useMemo<[Series[], Series[], Series[]]>(() => {
    if (!steps) return [[], [], []];
    return [
      [{ name: "calls", values: steps.calls.map((value) => value / seconds), color: "--water", fill: true }],
      [
        {
          name: "failed",
          values: steps.calls.map((value, index) => (value > 0 ? steps.errors[index]! / value : null)),
          color: "--error",
          fill: true,
        },
      ],
      [
        { name: "P99", values: steps.p99_ns, color: "--dim", dash: [2, 3] },
        { name: "P95", values: steps.p95_ns, color: "--water" },
        { name: "P50", values: steps.p50_ns, color: "--water-soft", dash: [6, 3] },
      ],
    ];
  }, [steps, seconds]);
  if (!steps) return null;
  const common = { startMs: msOf(red.start_ns), stepMs: red.step_ns / 1e6 };
  return (
    <>
      <div className="facts" style={{ marginBottom: 8 }}>
        <span>
          <b>{about(short(group.calls), red.weighted)}</b> calls
        </span>
        <span>
          <b>{about(rate(group.rate), red.weighted)}</b>
        </span>
        <span>
          <b className={group.error_share >= 0.01 ? "error" : ""}>{percent(group.error_share)}</b> failed
        </span>
        <span>
          P50 <b>{duration(group.p50_ns)}</b>
        </span>
        <span>
          P95 <b>{duration(group.p95_ns)}</b>
        </span>
        <span>
          P99 <b>{duration(group.p99_ns)}</b>
        </span>
        <span>
          from <b>{count(red.spans)}</b> kept spans
        </span>
      </div>
      <div className="charts">
        <Chart title="Rate" series={calls} format={perSecond} {...common} />
        <Chart title="Failed" series={errors} format={percent} {...common} />
        <Chart title="Duration" series={durations} format={duration} {...common} />
      </div>
    </>
  );
}

type Group = Red["groups"][number];

function operationColumns(service: string, weighted: boolean): Column<Group>[] {
  return [
    {
      key: "operation",
      title: "Operation",
      cell: (group) => (
        <a href={href("/traces", { service, operation: group.keys[0] })}>
          {name(group.keys[0] ?? "") || <i className="dim">no name</i>}
        </a>
      ),
      value: (group) => group.keys[0] ?? "",
      wide: true,
    },
    {
      key: "rate",
      title: "Rate",
      right: true,
      cell: (group) => about(rate(group.rate), weighted),
      value: (group) => group.rate,
    },
    {
      key: "calls",
      title: "Calls, errors",
      cell: (group) =>
        group.steps && <Sparkline values={group.steps.calls} errors={group.steps.errors} label="Calls over time" />,
    },
    {
      key: "errors",
      title: "Errors",
      right: true,
      cell: (group) => (
        <span className={group.error_share >= 0.01 ? "error" : group.errors === 0 ? "dim" : ""}>
          {percent(group.error_share)}
        </span>
      ),
      value: (group) => group.error_share,
    },
    {
      key: "p50",
      title: "P50",
      right: true,
      cell: (group) => <Duration ns={group.p50_ns} />,
      value: (group) => group.p50_ns,
    },
    {
      key: "p95",
      title: "P95",
      right: true,
      cell: (group) => <Duration ns={group.p95_ns} />,
      value: (group) => group.p95_ns,
    },
    {
      key: "p99",
      title: "P99",
      right: true,
      cell: (group) => <Duration ns={group.p99_ns} />,
      value: (group) => group.p99_ns,
    },
    {
      key: "time",
      title: "Time",
      about: "Calls × median: where this service spends most",
      right: true,
      cell: (group) => <Duration ns={group.calls * group.p50_ns} />,
      value: (group) => group.calls * group.p50_ns,
    },
    {
      key: "look",
      title: "",
      cell: (group) => (
        <button
          type="button"
          className="button quiet"
          style={{ height: 20 }}
          onClick={() => change({ operation: group.keys[0] })}
        >
          Only this
        </button>
      ),
    },
  ];
}
