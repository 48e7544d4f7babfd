// A service's versions side by side: the canary beside the stable one.

import { useMemo } from "react";
import type { RedGroup } from "../api/red";
import { printOne } from "../format/conditions";
import { about, percent, rate } from "../format/number";
import { standsOut } from "../format/trouble";
import { useRed } from "../hooks/data";
import { href } from "../hooks/location";
import { useRange } from "../hooks/range";
import { Duration, name } from "./Names";
import { type Column, SortedTable } from "./SortedTable";
import { Sparkline } from "./Sparkline";
import { Shown } from "./States";

interface Row extends RedGroup {
  version: string;
  why: string | null;
  share: number;
}

export function VersionTable({ service, operation }: { service: string; operation: string }) {
  const range = useRange();
  const asked = useRed(
    { service, operation: operation || undefined, by: "service.version", steps: 30, limit: 50 },
    range,
  );
  const rows = useMemo<Row[]>(() => {
    const groups = asked.data?.groups ?? [];
    const calls = groups.reduce((sum, group) => sum + group.calls, 0) || 1;
    const named = groups.map((group) => ({ ...group, version: group.keys[0] ?? "" }));
    return named.map((group) => ({ ...group, share: group.calls / calls, why: standsOut(group, named) }));
  }, [asked.data]);
  const baseline = rows.length > 0 ? rows.reduce((most, row) => (row.calls > most.calls ? row : most)) : null;
  const columns: Column<Row>[] = [
    {
      key: "version",
      title: "Version",
      cell: (row) =>
        row.version === "" ? (
          <i className="dim">none said</i>
        ) : (
          <a
            className="mono"
            href={href(`/service/${encodeURIComponent(service)}`, { version: row.version, operation })}
          >
            {name(row.version)}
          </a>
        ),
      value: (row) => row.version,
    },
    {
      key: "why",
      title: "",
      cell: (row) => row.why && <span className="chip warn warn">! {row.why}</span>,
      wide: true,
    },
    { key: "share", title: "Share", right: true, cell: (row) => percent(row.share), value: (row) => row.share },
    {
      key: "rate",
      title: "Rate",
      right: true,
      cell: (row) => about(rate(row.rate), asked.data?.weighted ?? false),
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
        <span className={row.why?.startsWith("fails") ? "error" : row.errors === 0 ? "dim" : ""}>
          {percent(row.error_share)}
        </span>
      ),
      value: (row) => row.error_share,
    },
    { key: "p50", title: "P50", right: true, cell: (row) => <Duration ns={row.p50_ns} />, value: (row) => row.p50_ns },
    { key: "p95", title: "P95", right: true, cell: (row) => <Duration ns={row.p95_ns} />, value: (row) => row.p95_ns },
    { key: "p99", title: "P99", right: true, cell: (row) => <Duration ns={row.p99_ns} />, value: (row) => row.p99_ns },
    {
      key: "look",
      title: "",
      cell: (row) => {
        const condition =
          row.version === ""
            ? "!service.version"
            : printOne({ key: "service.version", operator: "=", value: row.version });
        return (
          <span className="row" style={{ gap: 4 }}>
            <a
              className="button quiet"
              style={{ height: 20 }}
              href={href("/traces", { service, operation, q: `${condition} status=error` })}
            >
              Failed traces
            </a>
            {baseline && baseline !== row && row.version !== "" && (
              <a
                className="button quiet"
                style={{ height: 20 }}
                href={href("/compare", {
                  service,
                  operation,
                  aq: condition,
                  bq: printOne({ key: "service.version", operator: "=", value: baseline.version }),
                })}
              >
                Compare
              </a>
            )}
          </span>
        );
      },
    },
  ];
  return (
    <Shown asked={asked} rows={3}>
      {() => (
        <SortedTable
          param="versions"
          label="Versions"
          columns={columns}
          rows={rows}
          id={(row) => row.version}
          sorted="-share"
          rowsMax={10}
        />
      )}
    </Shown>
  );
}
