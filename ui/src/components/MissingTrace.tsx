// A trace that is not there: dropped by which policy, expired, or not arrived yet.

import { useFind } from "../hooks/data";
import { href } from "../hooks/location";

export function MissingTrace({ id }: { id: string }) {
  const why = useFind(id).data?.nothing;
  return (
    <div className="state">
      <h2>Trace {id.slice(0, 8)} is not here</h2>
      <p className="dim">{why ? why.message : "It was dropped, has expired, or has not arrived."}</p>
      {why?.policy && <p className="dim">Policy: {why.policy}</p>}
      <p style={{ marginTop: 8 }}>
        <a className="button" href={href("/traces")}>
          Traces
        </a>
      </p>
    </div>
  );
}
