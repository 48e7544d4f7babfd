// Nothing has arrived yet, or not in this range: how to send, waiting for the first span.

import { useLedger, useStatus } from "../hooks/data";
import { change } from "../hooks/location";
import type { TimeRange } from "../hooks/range";

const LOOK_EVERY_MS = 2_000;

export function NoData({ range }: { range: TimeRange }) {
  const ledger = useLedger(LOOK_EVERY_MS);
  const status = useStatus();
  const accepted = Object.values(ledger.data?.traces ?? {}).reduce((sum, account) => sum + account.accepted, 0);
  const port = (protocol: RegExp) => status.data?.receivers.find((one) => protocol.test(one.protocol))?.endpoint;
  const grpc = port(/grpc/i) ?? "localhost:4317";
  if (accepted > 0 && range.from !== "") {
    return (
      <div className="state">
        <h2>No spans in this time range</h2>
        <p className="dim">There are others.</p>
        <p className="row" style={{ marginTop: 8 }}>
          <button type="button" className="button" onClick={() => change({ from: "all", to: null })}>
            Show everything that is kept
          </button>
          <button type="button" className="button" onClick={() => change({ from: "-24h", to: null })}>
            Last 24 h
          </button>
        </p>
      </div>
    );
  }
  return (
    <div className="state">
      <h2>
        <span className="pulse" /> Waiting for the first span
      </h2>
      <p className="dim">Point any OpenTelemetry SDK or Collector here, by gRPC:</p>
      <pre>
        OTEL_EXPORTER_OTLP_ENDPOINT=http://{grpc.replace(/^(127\.0\.0\.1|0\.0\.0\.0|\[::1?\])/, "localhost")} my-app
      </pre>
      <p className="dim">or see a shop's traffic with an incident under way:</p>
      <pre>make demo</pre>
      <p className="dim">This page shows spans as soon as they arrive.</p>
    </div>
  );
}
