// Where the time of a service's newest calls goes, by kind and by who spends it.

import { duration } from "../format/duration";
import { count, percent } from "../format/number";
import { useBottlenecks } from "../hooks/data";
import { useRange } from "../hooks/range";
import { Duration, name, ServiceName } from "./Names";
import { Partial, Shown } from "./States";

const CONTRIBUTORS_SHOWN = 8;
/** Steps of one hue: no category is better or worse than another. */
const SHADES = [100, 78, 58, 40, 26];

export function Bottlenecks({ service, operation }: { service: string; operation: string }) {
  const asked = useBottlenecks(service, operation, useRange());
  return (
    <Shown asked={asked} rows={4}>
      {({ categories, contributors, calls, traces, partial, duration: whole }) => {
        if (calls === 0) return <p className="dim">No calls in this time range.</p>;
        const shade = (index: number) =>
          `color-mix(in oklch, var(--water) ${SHADES[index % SHADES.length]}%, var(--touched))`;
        return (
          <>
            <Partial partial={partial} />
            <p className="dim" style={{ padding: "4px 0" }}>
              {count(traces)} traces, {duration(whole.total_ns)} together, P95 {duration(whole.p95_ns)}
            </p>
            <div
              style={{ display: "flex", height: 12, borderRadius: 2, overflow: "hidden" }}
              role="img"
              aria-label="Shares of time by category"
            >
              {categories.map((one, index) => (
                <span
                  key={one.category}
                  style={{ width: `${one.share * 100}%`, background: shade(index) }}
                  title={`${one.category} ${percent(one.share)}`}
                />
              ))}
            </div>
            <div className="facts" style={{ padding: "4px 0 8px" }}>
              {categories.map((one, index) => (
                <span key={one.category} className="service" title={`P95 ${duration(one.p95_ns)}`}>
                  <span className="swatch" style={{ background: shade(index) }} />
                  {one.category} <b>{percent(one.share)}</b>
                </span>
              ))}
            </div>
            <table className="table" aria-label="Contributors">
              <tbody>
                {contributors.slice(0, CONTRIBUTORS_SHOWN).map((one) => (
                  <tr key={`${one.service} ${one.operation} ${one.category}`}>
                    <td>
                      <ServiceName service={one.service} />
                    </td>
                    <td className="wide">{name(one.operation)}</td>
                    <td className="dim">{one.category}</td>
                    <td className="right">{percent(one.share)}</td>
                    <td className="right">
                      <Duration ns={one.total_ns} />
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </>
        );
      }}
    </Shown>
  );
}
