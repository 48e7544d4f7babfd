// Sets of sampling policies: the one in force, and those on trial beside it.

import type { PolicySet } from "../api/status";
import { count, percent } from "../format/number";
import { name } from "./Names";

export function Policies({ sets }: { sets: readonly PolicySet[] }) {
  return (
    <>
      {sets.map((set) => (
        <div key={set.id} style={{ marginTop: 12 }}>
          <h3>
            {name(set.id)} {set.dry_run && <span className="chip">dry run: decides nothing</span>}
          </h3>
          <table className="table" aria-label={set.id}>
            <thead>
              <tr>
                <th>Policy</th>
                <th>Type</th>
                <th className="right">Wanted traces</th>
                <th className="right">Decided</th>
                <th className="right">{set.dry_run ? "Would keep" : "Kept"}</th>
                <th className="right">Share of spans</th>
              </tr>
            </thead>
            <tbody>
              {set.policies
                .filter((policy) => policy.type !== "" || policy.decided.traces > 0)
                .map((policy) => (
                  <tr key={policy.name}>
                    <td className="wide">{name(policy.name)}</td>
                    <td className="dim">{policy.type}</td>
                    <td className="right">{count(policy.wanted.traces)}</td>
                    <td className="right">{count(policy.decided.traces)}</td>
                    <td className="right">{count(policy.kept.traces)}</td>
                    <td className="right">{percent(policy.kept.share_of_spans)}</td>
                  </tr>
                ))}
              <tr>
                <td>all together</td>
                <td />
                <td />
                <td className="right">{count(set.decided.traces)}</td>
                <td className="right">{count(set.kept.traces)}</td>
                <td className="right">{percent(set.kept.share_of_spans)}</td>
              </tr>
            </tbody>
          </table>
        </div>
      ))}
    </>
  );
}
