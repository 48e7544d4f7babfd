// A trace's log lines in the order of time, whichever span they belong to.

import { useVirtualizer } from "@tanstack/react-virtual";
import { useMemo, useRef } from "react";
import type { Trace } from "../api/trace";
import { durationParts } from "../format/duration";
import { message } from "../format/line";
import { visible } from "../format/text";
import { name } from "./Names";
import { severityClass, severityName } from "./SpanDrawer";
import { Empty } from "./States";

export function TraceLines({
  trace,
  colors,
  choose,
}: {
  trace: Trace;
  colors: readonly string[];
  choose: (row: number) => void;
}) {
  const box = useRef<HTMLDivElement>(null);
  const { lines } = trace;
  const order = useMemo(
    () => lines.time.map((_, index) => index).sort((one, other) => lines.time[one]! - lines.time[other]!),
    [lines],
  );
  const virtual = useVirtualizer({
    count: order.length,
    getScrollElement: () => box.current,
    estimateSize: () => 24,
    overscan: 12,
  });
  if (order.length === 0) {
    return (
      <Empty title="No log lines">Lines whose record carries this trace's id stand here, whoever wrote them.</Empty>
    );
  }
  return (
    <section className="rows" ref={box} style={{ height: "100%" }} aria-label="Log lines" tabIndex={0}>
      <div className="inner" style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map((item) => {
          const index = order[item.index]!;
          const row = lines.row[index]! - trace.first;
          const known = row >= 0 && row < trace.rows;
          const { digits, unit } = durationParts(lines.time[index]!);
          const severity = lines.severity[index]!;
          return (
            // biome-ignore lint/a11y/useKeyWithClickEvents lint/a11y/noStaticElementInteractions: the waterfall has the keys.
            <div
              key={index}
              className="span-row mono"
              style={{ transform: `translateY(${item.start}px)`, alignItems: "center", gap: 8, padding: "0 16px" }}
              onClick={() => known && choose(row)}
            >
              <span className="right dim" style={{ width: 72, flex: "none" }}>
                {digits} {unit}
              </span>
              <b className={severityClass(severity)} style={{ width: 44, flex: "none" }}>
                {severityName(severity)}
              </b>
              <span className="swatch" style={{ background: known ? colors[trace.service[row]!] : "transparent" }} />
              <span className="dim cut" style={{ width: 120, flex: "none" }}>
                {known ? name(trace.services[trace.service[row]!]?.name ?? "") : ""}
              </span>
              <span className="cut">{visible(message(lines.text[index]!))}</span>
            </div>
          );
        })}
      </div>
    </section>
  );
}
