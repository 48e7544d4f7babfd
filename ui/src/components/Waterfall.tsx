// The rows of a trace: only those in sight are in the page, however many there are.

import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, useLayoutEffect, useMemo, useRef } from "react";
import { Flag, type Trace } from "../api/trace";
import { duration } from "../format/duration";
import { message } from "../format/line";
import { errorsBelow, placeOf } from "../hooks/traceRows";
import type { View } from "../hooks/traceView";
import { name } from "./Names";

const ROW_PX = 24;
const INDENT_PX = 12;
/** Deeper rows are indented no further: their names would be out of sight. */
const INDENTS_MAX = 24;

interface Props {
  trace: Trace;
  view: View;
  colors: readonly string[];
  found: ReadonlySet<number>;
  flip: (row: number) => void;
  choose: (row: number, quiet: boolean) => void;
  folded: (row: number) => boolean;
  /** Changes when the chosen row is to be brought into sight. */
  reveal: number;
  /** A row to bring into sight without choosing it. */
  sight: { row: number } | null;
}

export function Waterfall({ trace, view, colors, found, flip, choose, folded, reveal, sight }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const { rows, chosen, from, to } = view;
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_PX,
    overscan: 12,
  });
  const lines = useMemo(() => linesByRow(trace), [trace]);
  const place = placeOf(rows, chosen);
  /** All rows are of one height: where one lies is known without laying out the page. */
  const bring = (index: number, toMiddle: boolean) => {
    const [height, seen] = [virtual.scrollRect?.height ?? 0, virtual.scrollOffset ?? 0];
    const top = index * ROW_PX;
    const isInSight = top >= seen && top + ROW_PX <= seen + height;
    if (!box.current || (isInSight && !toMiddle)) return;
    const isBelow = top >= seen;
    box.current.scrollTop = toMiddle ? top - (height - ROW_PX) / 2 : isBelow ? top + ROW_PX - height : top;
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: it moves when somebody asks for it, not whenever rows change.
  useLayoutEffect(() => {
    if (chosen >= 0 && place >= 0) bring(place, false);
  }, [chosen, reveal]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the same.
  useLayoutEffect(() => {
    if (sight) bring(Math.max(0, placeOf(rows, sight.row)), true);
  }, [sight]);
  return (
    <div className="rows" ref={box} role="tree" aria-label="Spans" tabIndex={0}>
      <div className="inner" style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map((item) => {
          const row = rows[item.index]!;
          const isFolded = folded(row);
          return (
            <SpanRow
              key={row}
              trace={trace}
              row={row}
              top={item.start}
              color={colors[trace.service[row]!] ?? "#888"}
              from={from}
              to={to}
              chosen={row === chosen}
              found={found.has(row + trace.first)}
              folded={isFolded}
              hidden={isFolded ? errorsBelow(trace.errors, row + trace.first, trace.descendants[row]!) : 0}
              lines={lines.get(row)}
              indent={view.shape.root >= 0 ? trace.depth[view.shape.root]! : 0}
              flip={flip}
              choose={choose}
            />
          );
        })}
      </div>
    </div>
  );
}

interface Line {
  time: number;
  severity: number;
  text: string;
}

function linesByRow(trace: Trace): Map<number, Line[]> {
  const byRow = new Map<number, Line[]>();
  const { row, time, severity, text } = trace.lines;
  row.forEach((at, index) => {
    const list = byRow.get(at - trace.first) ?? [];
    list.push({ time: time[index] ?? 0, severity: severity[index] ?? 0, text: text[index] ?? "" });
    byRow.set(at - trace.first, list);
  });
  return byRow;
}

interface RowProps {
  trace: Trace;
  row: number;
  top: number;
  color: string;
  from: number;
  to: number;
  chosen: boolean;
  found: boolean;
  folded: boolean;
  /** Spans below that failed and are not seen. */
  hidden: number;
  lines: Line[] | undefined;
  indent: number;
  flip: (row: number) => void;
  choose: (row: number, quiet: boolean) => void;
}

const SpanRow = memo(function SpanRow(props: RowProps) {
  const { trace, row, top, color, from, to, chosen, found, folded, hidden, lines, indent, flip, choose } = props;
  const service = trace.services[trace.service[row]!]?.name ?? "";
  const operation = trace.operations[trace.operation[row]!] ?? "";
  const flags = trace.flags[row]!;
  const failed = trace.status[row] === 2;
  const parent = trace.parent[row]! - trace.first;
  // Said once, where it changes.
  const sameService = parent >= 0 && parent < trace.rows && trace.service[parent] === trace.service[row];
  const descendants = trace.descendants[row]!;
  const depth = Math.min(INDENTS_MAX, Math.max(0, trace.depth[row]! - indent));
  const self = trace.self[row]!;
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the page has the keys, j and k.
    <div
      className={`span-row ${chosen ? "chosen" : ""} ${found ? "found" : ""}`}
      style={{ transform: `translateY(${top}px)` }}
      role="treeitem"
      tabIndex={-1}
      aria-level={trace.depth[row]! + 1}
      aria-selected={chosen}
      {...(descendants > 0 ? { "aria-expanded": !folded } : {})}
      onClick={() => choose(row, false)}
    >
      <div className="span-name" style={{ paddingLeft: 4 + depth * INDENT_PX }}>
        {descendants > 0 ? (
          <button
            type="button"
            className="fold"
            tabIndex={-1}
            aria-label={folded ? "Unfold" : "Fold"}
            onClick={(event) => {
              event.stopPropagation();
              flip(row);
            }}
          >
            {folded ? "▸" : "▾"}
          </button>
        ) : (
          <span style={{ width: 16, flex: "none" }} />
        )}
        <span className="tick" style={{ background: color }} />
        {failed && (
          <span className="badge error" title="Failed">
            !
          </span>
        )}
        {!failed && flags & Flag.Exception ? (
          <span className="badge warn" title="Has an exception">
            !
          </span>
        ) : null}
        {!sameService && <span className="by">{name(service)}</span>}
        <span className={`op ${flags & Flag.Pending ? "dim" : ""}`}>
          {name(operation) || <i className="dim">no name</i>}
        </span>
        {folded && <span className="inside">+{descendants}</span>}
        {hidden > 0 && <span className="badge error">{hidden}</span>}
        {flags & (Flag.ParentMissing | Flag.Circle) ? (
          <span className="inside" title={flags & Flag.Circle ? "Its parents form a circle" : "Its parent is not here"}>
            ⌁
          </span>
        ) : null}
      </div>
      <Track trace={trace} row={row} color={color} from={from} to={to} lines={lines} self={self} />
    </div>
  );
});

interface TrackProps {
  trace: Trace;
  row: number;
  color: string;
  from: number;
  to: number;
  lines: Line[] | undefined;
  self: number;
}

/** Dots more than these would be one. */
const DOTS_MAX = 40;

function Track({ trace, row, color, from, to, lines, self }: TrackProps) {
  const width = to - from;
  const start = trace.start[row]!;
  const length = trace.duration[row]!;
  const percentOf = (offset: number) => ((offset - from) / width) * 100;
  const [left, right] = [Math.max(-1, percentOf(start)), Math.min(101, percentOf(start + length))];
  const isOutside = right < 0 || left > 100;
  const onPath = (trace.flags[row]! & Flag.CriticalPath) !== 0;
  const size = Math.max(0, right - left);
  const label = duration(length);
  // Beside the bar, on the side that has room; within it where there is none.
  const isInside = !isOutside && right >= 82 && left <= 12;
  const labelStyle =
    right < 82
      ? { left: `calc(${Math.max(0, right)}% + 6px)` }
      : isInside
        ? { right: `calc(${100 - Math.min(100, right)}% + 6px)` }
        : { right: `calc(${100 - left}% + 6px)` };
  return (
    <div
      className="track"
      title={`${label}, ${duration(self)} of its own${onPath ? `, ${duration(trace.critical[row]!)} on the critical path` : ""}`}
    >
      {!isOutside && (
        <>
          <div
            className={`span-bar ${onPath ? "" : "aside"}`}
            style={{ left: `${left}%`, width: `${size}%`, background: color }}
          />
          {onPath && trace.critical[row]! > 0 && (
            <div className="path" style={{ left: `${left}%`, width: `${size}%` }} />
          )}
        </>
      )}
      <span
        className={`label ${isInside ? "inside-bar" : ""}`}
        style={isOutside ? { left: left > 100 ? undefined : 6, right: left > 100 ? 6 : undefined } : labelStyle}
      >
        {isOutside ? (left > 100 ? `${label} →` : `← ${label}`) : label}
      </span>
      {lines?.slice(0, DOTS_MAX).map((line, index) => {
        const at = percentOf(line.time);
        if (at < 0 || at > 100) return null;
        const level = line.severity >= 17 ? "error" : line.severity >= 13 ? "warn" : "";
        return <span key={index} className={`line ${level}`} style={{ left: `${at}%` }} title={message(line.text)} />;
      })}
    </div>
  );
}
