// `/status`: the ledger as it adds up, sampling by policy, storage, receivers, configuration.

import type { ReactNode } from "react";
import type { Account, Sampling, Status } from "../api/status";
import { Policies } from "../components/Policies";
import { Shown } from "../components/States";
import { duration } from "../format/duration";
import { bytes, count, percent, short } from "../format/number";
import { ago, moment, msOf } from "../format/time";
import { useLedger, useSampling, useStatus } from "../hooks/data";

const EVERY_MS = 2_000;

export default function StatusPage() {
  const status = useStatus(EVERY_MS);
  const ledger = useLedger(EVERY_MS);
  const sampling = useSampling(EVERY_MS);
  return (
    <div className="pad">
      <div className="headline">
        <h1>Status</h1>
        {status.data && <Readiness status={status.data} />}
      </div>
      <Section
        title="Ledger"
        note="accepted = kept + pending + dropped + damaged, exact at every moment; rejected beside it"
      >
        <Shown asked={ledger}>
          {(data) => (
            <>
              {Object.entries(data).flatMap(([signal, tenants]) =>
                Object.entries(tenants).map(([tenant, account]) => (
                  <Flow
                    key={`${signal} ${tenant}`}
                    title={tenant === "default" ? signal : `${signal} of ${tenant}`}
                    account={account}
                  />
                )),
              )}
            </>
          )}
        </Shown>
      </Section>
      <Section title="Sampling">
        <Shown asked={sampling}>{(data) => <SamplingView sampling={data} />}</Shown>
      </Section>
      <Shown asked={status}>
        {(data) => (
          <>
            <Section title="Storage">
              <Storage status={data} />
            </Section>
            <Section title="Receivers">
              <table className="table" aria-label="Receivers">
                <tbody>
                  {data.receivers.map((one) => (
                    <tr key={one.protocol + one.endpoint}>
                      <td>{one.protocol}</td>
                      <td className="mono wide">{one.endpoint}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
              {data.receivers.length === 0 && (
                <p className="dim">None: what is stored can be read, nothing is taken.</p>
              )}
            </Section>
            {data.configuration && (
              <Section title="Configuration" note="as it runs; secrets are hidden">
                <pre className="config">{data.configuration}</pre>
              </Section>
            )}
          </>
        )}
      </Shown>
      <p className="section dim">
        <a href="/api">Endpoints</a> · <a href="/metrics">Metrics</a> ·{" "}
        <a href="/licences.txt">Licences of what this page is made of</a>
      </p>
    </div>
  );
}

function Section({ title, note, children }: { title: string; note?: string; children: ReactNode }) {
  return (
    <section className="section">
      <div className="headline" style={{ marginBottom: 8 }}>
        <h2>{title}</h2>
        {note && <span className="dim">{note}</span>}
      </div>
      {children}
    </section>
  );
}

function Readiness({ status }: { status: Status }) {
  const now = msOf(status.now_ns);
  return (
    <>
      {status.ready ? (
        <span className="chip">✓ takes data</span>
      ) : (
        <span className="chip error error">! takes no data: {status.not_ready_because}</span>
      )}
      <span className="dim">
        weir {status.version}
        {status.started_ns && (
          <span title={moment(msOf(status.started_ns))}> · started {ago(msOf(status.started_ns), now)}</span>
        )}
        {status.process?.memory_bytes ? ` · ${bytes(status.process.memory_bytes)} of memory` : ""}
        {status.process?.cpu_seconds ? ` · ${duration(status.process.cpu_seconds * 1e9)} of CPU` : ""}
      </span>
    </>
  );
}

function Flow({ title, account }: { title: string; account: Account }) {
  const dropped = Object.values(account.dropped).reduce((sum, value) => sum + value, 0);
  const sum = account.kept + account.pending + dropped + account.damaged;
  const whole = account.accepted || 1;
  const parts: [string, number, string, string?][] = [
    ["kept", account.kept, ""],
    ["pending", account.pending, "dim"],
    [
      "dropped",
      dropped,
      "dim",
      Object.entries(account.dropped)
        .map(([policy, value]) => `${policy} ${count(value)}`)
        .join("\n"),
    ],
    ["damaged", account.damaged, account.damaged > 0 ? "error" : "dim"],
  ];
  const rejected = Object.entries(account.rejected);
  return (
    <div style={{ marginBottom: 12 }}>
      <h3>{title}</h3>
      <div className="flow" data-ledger={title}>
        <div>
          <div className="dim">accepted</div>
          <div className="big" data-value={account.accepted}>
            {count(account.accepted)}
          </div>
        </div>
        {parts.map(([name, value, tone, more], index) => (
          <div key={name} title={more}>
            <div className="dim">
              {index === 0 ? "= " : "+ "}
              {name}
            </div>
            <div className={`big ${tone}`} data-value={value}>
              {count(value)}
            </div>
            <div className="dim">{percent(value / whole)}</div>
          </div>
        ))}
        <div>
          <div className="dim">adds up</div>
          <div className={`big ${sum === account.accepted ? "" : "error"}`}>
            {sum === account.accepted ? "✓" : `! ${count(sum - account.accepted)}`}
          </div>
        </div>
        {rejected.length > 0 && (
          <div>
            <div className="dim">rejected</div>
            {rejected.map(([reason, value]) => (
              <div key={reason}>
                <span className="warn">{short(value)}</span> <span className="dim">{reason.replaceAll("_", " ")}</span>
              </div>
            ))}
          </div>
        )}
      </div>
    </div>
  );
}

function SamplingView({ sampling }: { sampling: Sampling }) {
  if (sampling.generation === 0) return <p className="dim">Nothing samples: every trace is kept at once.</p>;
  const names = [...new Set([...Object.keys(sampling.kept), ...Object.keys(sampling.dropped)])].sort();
  const decided =
    names.reduce((sum, name) => sum + (sampling.kept[name]?.traces ?? 0) + (sampling.dropped[name]?.traces ?? 0), 0) ||
    1;
  return (
    <>
      <div className="facts" style={{ marginBottom: 4 }}>
        <span>
          <b>{count(sampling.pending_traces)}</b> traces wait for their verdict ({count(sampling.pending_spans)} spans,{" "}
          {bytes(sampling.pending_bytes)})
        </span>
        <span>
          late spans <b>{count(sampling.late_kept_spans)}</b> kept, <b>{count(sampling.late_dropped_spans)}</b> dropped
        </span>
        {sampling.early_traces > 0 && (
          <span className="warn">
            <b>{count(sampling.early_traces)}</b> decided early: too much was pending
          </span>
        )}
        {sampling.too_large_traces > 0 && (
          <span className="warn">
            <b>{count(sampling.too_large_traces)}</b> too large
          </span>
        )}
      </div>
      <table className="table" aria-label="Policies">
        <thead>
          <tr>
            <th>Policy that decided</th>
            <th className="right">Kept traces</th>
            <th className="right">Kept spans</th>
            <th className="right">Dropped traces</th>
            <th className="right">Dropped spans</th>
            <th>Share of all decided</th>
          </tr>
        </thead>
        <tbody>
          {names.map((name) => {
            const [kept, dropped] = [sampling.kept[name], sampling.dropped[name]];
            const share = ((kept?.traces ?? 0) + (dropped?.traces ?? 0)) / decided;
            return (
              <tr key={name}>
                <td className="wide">{name}</td>
                <td className="right">{count(kept?.traces ?? 0)}</td>
                <td className="right">{count(kept?.spans ?? 0)}</td>
                <td className="right dim">{count(dropped?.traces ?? 0)}</td>
                <td className="right dim">{count(dropped?.spans ?? 0)}</td>
                <td>
                  <span className="share" style={{ width: `${share * 160}px` }} />{" "}
                  <span className="dim">{percent(share)}</span>
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
      <Policies sets={sampling.policies?.sets ?? []} />
    </>
  );
}

/** Of a setting: in its own words, 7 d rather than 7.00 d. */
function period(seconds: number): string {
  for (const [unit, name] of [
    [86_400, "d"],
    [3_600, "h"],
    [60, "min"],
  ] as const) {
    if (seconds % unit === 0) return `${seconds / unit} ${name}`;
  }
  return `${seconds} s`;
}

function Storage({ status }: { status: Status }) {
  const { disk, signals, retention_s } = status;
  return (
    <>
      {disk && (
        <div style={{ marginBottom: 8 }}>
          <div className="facts">
            <span className="mono">{disk.path}</span>
            {disk.used_bytes !== null && (
              <span>
                <b>{bytes(disk.used_bytes)}</b> used
                {disk.size_max_bytes !== null ? ` of ${bytes(disk.size_max_bytes)} allowed` : ""}
              </span>
            )}
            {disk.free_bytes !== null && disk.total_bytes !== null && (
              <span>
                disk: <b>{bytes(disk.free_bytes)}</b> free of {bytes(disk.total_bytes)}
              </span>
            )}
            {Object.keys(retention_s).length > 0 && (
              <span>
                kept for{" "}
                {Object.entries(retention_s)
                  .map(([signal, s]) => `${s === null ? "ever" : period(s)} (${signal})`)
                  .join(", ")}
              </span>
            )}
          </div>
          {disk.used_bytes !== null && disk.size_max_bytes !== null && (
            <div className="meter" style={{ marginTop: 4, maxWidth: 480 }}>
              <div style={{ width: `${Math.min(100, (disk.used_bytes / disk.size_max_bytes) * 100)}%` }} />
            </div>
          )}
        </div>
      )}
      <table className="table" aria-label="Storage">
        <thead>
          <tr>
            <th>Signal</th>
            <th className="right">Journal</th>
            <th className="right">Files</th>
            <th className="right">In the head</th>
            <th className="right">Segments</th>
            <th className="right">Rows</th>
            <th className="right">Bytes</th>
            <th className="right">Bytes a row</th>
            <th>Oldest</th>
          </tr>
        </thead>
        <tbody>
          {signals.map(({ signal, journal, head, segments }) => (
            <tr key={signal}>
              <td>{signal}</td>
              <td className="right">{journal ? bytes(journal.bytes) : "–"}</td>
              <td className="right">{journal ? count(journal.files) : "–"}</td>
              <td className="right">{head ? count(head.items) : "–"}</td>
              <td className="right">{segments ? count(segments.count) : "–"}</td>
              <td className="right">{segments ? count(segments.rows) : "–"}</td>
              <td className="right">{segments ? bytes(segments.bytes) : "–"}</td>
              <td className="right">
                {segments && segments.rows > 0 ? (segments.bytes / segments.rows).toFixed(1) : "–"}
              </td>
              <td>{segments?.oldest_ns ? moment(msOf(segments.oldest_ns), false) : "–"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}
