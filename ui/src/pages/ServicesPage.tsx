// `/`: every service, the one in most trouble first.

import { useMemo } from "react";
import type { Red, RedGroup } from "../api/red";
import { Duration, name, ServiceName } from "../components/Names";
import { NoData } from "../components/NoData";
import { type Column, SortedTable } from "../components/SortedTable";
import { Sparkline } from "../components/Sparkline";
import { Partial, Shown } from "../components/States";
import { about, percent, rate } from "../format/number";
import { standsOut, type Trouble, troubleOf } from "../format/trouble";
import { useRed } from "../hooks/data";
import { href } from "../hooks/location";
import { useRange } from "../hooks/range";

interface Row extends RedGroup {
  service: string;
  trouble: Trouble;
  versions: Version[];
}

interface Version {
  version: string;
  spans: number;
  error_share: number;
  p95_ns: number;
  why: string | null;
}

/** More are in the service's own page. */
const VERSIONS_SHOWN = 3;
/** As much trouble as twice the usual P95. */
const VERSION_SCORE = 1;

export function ServicesPage() {
  const range = useRange();
  const services = useRed({ by: "service", steps: 60, limit: 10_000 }, range);
  const versions = useRed({ by: "service,service.version", steps: 1, limit: 10_000 }, range);
  const rows = useMemo(() => rowsOf(services.data, versions.data), [services.data, versions.data]);
  return (
    <div className="pad">
      <div className="headline">
        <h1>Services</h1>
        {services.data && services.data.groups.length > 0 && (
          <span className="dim">
            {rows.length} · {about(`${services.data.spans.toLocaleString("en")} spans`, false)} read
            {services.data.weighted ? " · ≈ where sampling decided by chance" : ""}
          </span>
        )}
      </div>
      <Shown asked={services} rows={10}>
        {(red) =>
          red.groups.length === 0 ? (
            <NoData range={range} />
          ) : (
            <>
              <Partial partial={red.partial} because={red.partial_because} />
              <SortedTable
                param="sort"
                label="Services"
                columns={columns(red.weighted)}
                rows={rows}
                id={(row) => row.service}
                open={(row) => href(`/service/${encodeURIComponent(row.service)}`)}
                sorted="-trouble"
                keys
              />
            </>
          )
        }
      </Shown>
    </div>
  );
}

export function rowsOf(services: Red | undefined, versions: Red | undefined): Row[] {
  const byService = new Map<string, Version[]>();
  for (const group of versions?.groups ?? []) {
    const [service, version] = group.keys;
    if (!service || !version) continue;
    const list = byService.get(service) ?? [];
    list.push({ version, spans: group.spans, error_share: group.error_share, p95_ns: group.p95_ns, why: null });
    byService.set(service, list);
  }
  return (services?.groups ?? []).map((group) => {
    const service = group.keys[0] ?? "";
    const list = byService.get(service) ?? [];
    const judged = list.map((one) => ({ ...one, why: standsOut(one, list) }));
    judged.sort((one, other) => Number(other.why !== null) - Number(one.why !== null) || other.spans - one.spans);
    const own = group.steps
      ? troubleOf(group.steps)
      : { score: group.error_share, errorShare: group.error_share, slower: 1 };
    // A few calls of a bad version hardly move its service's figures.
    const trouble = judged[0]?.why ? { ...own, score: own.score + VERSION_SCORE } : own;
    return { ...group, service, trouble, versions: judged };
  });
}

function columns(weighted: boolean): Column<Row>[] {
  return [
    {
      key: "service",
      title: "Service",
      cell: (row) => <ServiceName service={row.service} />,
      value: (row) => row.service,
      wide: true,
    },
    {
      key: "trouble",
      title: "Trouble",
      about: "How many of the newest calls fail, and how much slower they are than before",
      cell: (row) => <Signs row={row} />,
      value: (row) => row.trouble.score,
    },
    {
      key: "rate",
      title: "Rate",
      right: true,
      cell: (row) => about(rate(row.rate), weighted),
      value: (row) => row.rate,
    },
    {
      key: "calls",
      title: "Calls, errors",
      cell: (row) =>
        row.steps && <Sparkline values={row.steps.calls} errors={row.steps.errors} label="Calls over time" />,
    },
    {
      key: "errors",
      title: "Errors",
      right: true,
      cell: (row) => (
        <span className={row.error_share >= 0.01 ? "error" : row.errors === 0 ? "dim" : ""}>
          {percent(row.error_share)}
        </span>
      ),
      value: (row) => row.error_share,
    },
    { key: "p50", title: "P50", right: true, cell: (row) => <Duration ns={row.p50_ns} />, value: (row) => row.p50_ns },
    { key: "p95", title: "P95", right: true, cell: (row) => <Duration ns={row.p95_ns} />, value: (row) => row.p95_ns },
    { key: "p99", title: "P99", right: true, cell: (row) => <Duration ns={row.p99_ns} />, value: (row) => row.p99_ns },
    {
      key: "course",
      title: "P95 over time",
      cell: (row) => row.steps && <Sparkline values={row.steps.p95_ns} label="P95 over time" />,
    },
    { key: "versions", title: "Versions", cell: (row) => <Versions row={row} /> },
  ];
}

function Signs({ row: { trouble, versions } }: { row: Row }) {
  const bad = versions.find(({ why }) => why !== null);
  return (
    <span className="row" style={{ gap: 4 }}>
      {trouble.errorShare >= 0.01 && <span className="chip error error">{percent(trouble.errorShare)} fail</span>}
      {bad && (
        <span className="chip warn warn" title={`${bad.version} ${bad.why}`}>
          {name(bad.version)} {bad.why?.startsWith("fails") ? "fails" : "is slow"}
        </span>
      )}
      {trouble.slower >= 1.5 && <span className="chip warn warn">P95 × {trouble.slower.toFixed(1)}</span>}
    </span>
  );
}

function Versions({ row }: { row: Row }) {
  const shown = row.versions.slice(0, VERSIONS_SHOWN);
  return (
    <span className="row" style={{ gap: 4 }}>
      {shown.map(({ version, why, spans }) => (
        <a
          key={version}
          className={`chip ${why ? "warn warn" : ""}`}
          href={href(`/service/${encodeURIComponent(row.service)}`, { version })}
          title={why ? `${version} ${why}` : `${spans} spans`}
        >
          {why && "! "}
          <span className="cut" style={{ maxWidth: 140 }}>
            {name(version)}
          </span>
        </a>
      ))}
      {row.versions.length > shown.length && <span className="dim">+{row.versions.length - shown.length}</span>}
    </span>
  );
}
