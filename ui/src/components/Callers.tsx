// Who calls a service, and whom it calls.

import { about, count, percent } from "../format/number";
import { useDependencies } from "../hooks/data";
import { useRange } from "../hooks/range";
import { Duration, name, ServiceName } from "./Names";
import { Partial, Shown } from "./States";

const ROWS_MAX = 40;

export function Callers({ service }: { service: string }) {
  const asked = useDependencies(service, useRange());
  return (
    <Shown asked={asked} rows={4}>
      {({ dependencies, weighted, partial }) => {
        const callers = dependencies.filter((one) => one.callee === service);
        const callees = dependencies.filter((one) => one.caller === service && one.callee !== service);
        if (callers.length + callees.length === 0)
          return <p className="dim">No calls to or from others in this time range.</p>;
        return (
          <>
            <Partial partial={partial} />
            <table className="table" aria-label="Calls">
              <thead>
                <tr>
                  <th aria-label="Direction" />
                  <th>Service</th>
                  <th className="right">Calls</th>
                  <th className="right">Errors</th>
                  <th className="right">P50</th>
                  <th className="right">P99</th>
                </tr>
              </thead>
              <tbody>
                {[...callers.map((one) => ({ one, to: false })), ...callees.map((one) => ({ one, to: true }))]
                  .slice(0, ROWS_MAX)
                  .map(({ one, to }) => {
                    const other = to ? one.callee : one.caller;
                    const share = one.calls > 0 ? one.errors / one.calls : 0;
                    return (
                      <tr key={`${to} ${other} ${one.callee_kind}`}>
                        <td className="dim">{to ? "calls" : "called by"}</td>
                        <td>
                          {to && one.callee_kind !== "service" ? (
                            <span className="service">
                              {name(other)} <span className="dim">{one.callee_kind}</span>
                            </span>
                          ) : (
                            <ServiceName service={other} />
                          )}
                        </td>
                        <td className="right">{about(count(one.calls), weighted)}</td>
                        <td className={`right ${share >= 0.01 ? "error" : "dim"}`}>{percent(share)}</td>
                        <td className="right">
                          <Duration ns={one.p50_ns} />
                        </td>
                        <td className="right">
                          <Duration ns={one.p99_ns} />
                        </td>
                      </tr>
                    );
                  })}
              </tbody>
            </table>
          </>
        );
      }}
    </Shown>
  );
}
