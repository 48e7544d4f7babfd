// What is odd about a trace, in words: missing parents, several roots, clocks that disagree, damage.

import { Flag, type Trace } from "../api/trace";
import { count } from "../format/number";

const spans = (number: number) => `${count(number)} ${number === 1 ? "span" : "spans"}`;

export function warningsOf(trace: Trace): string[] {
  let [missing, circle, outside, shared, endless] = [0, 0, 0, 0, 0];
  for (const flags of trace.flags) {
    if (flags & Flag.ParentMissing) missing += 1;
    if (flags & Flag.Circle) circle += 1;
    if (flags & Flag.OutsideParent) outside += 1;
    if (flags & Flag.IdShared) shared += 1;
    if (flags & Flag.NoEnd) endless += 1;
  }
  const warnings: string[] = [];
  if (trace.is_damaged) warnings.push("part of it lies in a segment that cannot be read");
  if (trace.spans_left_out > 0) warnings.push(`${spans(trace.spans_left_out)} left out: the trace is too large`);
  if (missing > 0) warnings.push(`${spans(missing)} whose parent is not here`);
  if (trace.roots.length > 1) warnings.push(`${count(trace.roots.length)} roots`);
  if (circle > 0) warnings.push(`parents that form a circle, broken at ${spans(circle)}`);
  if (outside > 0)
    warnings.push(
      `${spans(outside)} outside ${outside === 1 ? "its parent's" : "their parents'"} time: skewed clocks, or nobody waits for ${outside === 1 ? "it" : "them"}`,
    );
  if (shared > 0) warnings.push(`${spans(shared)} with an id that is not theirs alone`);
  if (endless > 0) warnings.push(`${spans(endless)} without an end`);
  return warnings;
}
