// Two selections beside one another: figures, and the attributes whose shares differ most.

import type { Differences, Side } from "../api/differences";
import { printOne } from "../format/conditions";
import { duration } from "../format/duration";
import { about, count, percent } from "../format/number";
import { visible } from "../format/text";
import { href } from "../hooks/location";
import { name } from "./Names";
import { Partial } from "./States";

interface Props {
  differences: Differences;
  a: string;
  b: string;
  /** Conditions to which a value is added when it is clicked. */
  q: string;
}

const VALUES_SHOWN = 4;

export function DifferencesView({ differences, a, b, q }: Props) {
  const { attributes, enough, left_out } = differences;
  return (
    <div>
      <Partial partial={differences.partial} because={differences.partial_because} />
      {!enough && <p className="note">One side has too few spans to say much: take these figures as hints.</p>}
      <table className="table" aria-label="Both selections">
        <thead>
          <tr>
            <th />
            <th className="right">Calls</th>
            <th className="right">Failed</th>
            <th className="right">P50</th>
            <th className="right">P95</th>
            <th className="right">P99</th>
          </tr>
        </thead>
        <tbody>
          <SideRow title={a} side={differences.a} weighted={differences.weighted} mark="var(--water)" />
          <SideRow title={b} side={differences.b} weighted={differences.weighted} mark="var(--dim)" />
        </tbody>
      </table>
      {attributes.length === 0 ? (
        <p className="state dim">Nothing sets the two apart: no attribute's share differs by more than chance.</p>
      ) : (
        <table className="table" aria-label="What differs" style={{ marginTop: 8 }}>
          <thead>
            <tr>
              <th>What differs</th>
              <th>Value</th>
              <th>Share</th>
              <th className="right">{a}</th>
              <th className="right">{b}</th>
            </tr>
          </thead>
          <tbody>
            {attributes.flatMap(({ key, values }) =>
              values.slice(0, VALUES_SHOWN).map(({ value, a_share, b_share }, index) => (
                <tr key={`${key} ${String(value)}`}>
                  <td className="mono">{index === 0 ? name(key) : ""}</td>
                  <td className="mono wide">
                    {value === null ? (
                      <i className="dim">none</i>
                    ) : (
                      <a
                        className="link"
                        href={href("/traces", {
                          q: `${q} ${printOne({ key, operator: "=", value: String(value) })}`.trim(),
                        })}
                      >
                        {visible(String(value))}
                      </a>
                    )}
                  </td>
                  <td style={{ width: 180 }}>
                    <Bars a={a_share} b={b_share} />
                  </td>
                  <td className="right">{percent(a_share)}</td>
                  <td className="right">{percent(b_share)}</td>
                </tr>
              )),
            )}
          </tbody>
        </table>
      )}
      {(left_out.ids.length > 0 || left_out.noise > 0) && (
        <p className="dim" style={{ padding: "4px 8px", fontSize: 12 }}>
          Left out:{" "}
          {left_out.ids.length > 0 &&
            `ids (${left_out.ids.slice(0, 6).map(name).join(", ")}${left_out.ids.length > 6 ? " …" : ""})`}
          {left_out.ids.length > 0 && left_out.noise > 0 && ", "}
          {left_out.noise > 0 && `${left_out.noise} attributes that do not differ`}
        </p>
      )}
    </div>
  );
}

function SideRow({ title, side, weighted, mark }: { title: string; side: Side; weighted: boolean; mark: string }) {
  return (
    <tr>
      <td>
        <span className="service">
          <span className="swatch" style={{ background: mark }} />
          {title}
        </span>
      </td>
      <td className="right">{about(count(side.calls), weighted)}</td>
      <td className={`right ${side.errors >= 0.01 * side.calls && side.errors > 0 ? "error" : "dim"}`}>
        {percent(side.calls > 0 ? side.errors / side.calls : 0)}
      </td>
      <td className="right">{duration(side.p50_ns)}</td>
      <td className="right">{duration(side.p95_ns)}</td>
      <td className="right">{duration(side.p99_ns)}</td>
    </tr>
  );
}

function Bars({ a, b }: { a: number; b: number }) {
  return (
    <span style={{ display: "grid", gap: 2 }}>
      <span className="share" style={{ width: `${a * 100}%`, height: 6, background: "var(--water)" }} />
      <span className="share" style={{ width: `${b * 100}%`, height: 6, background: "var(--line-strong)" }} />
    </span>
  );
}
