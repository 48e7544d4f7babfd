// Services, durations and versions as they are written everywhere.

import type { CSSProperties } from "react";
import { durationParts } from "../format/duration";
import { hueColor, hueIndex } from "../format/hue";
import { cut, visible } from "../format/text";
import { href } from "../hooks/location";
import { useTheme } from "../hooks/theme";

/** Longer names are cut: whoever needs more finds it in the span. */
const NAME_MAX = 200;

export function name(text: string): string {
  return visible(cut(text, NAME_MAX));
}

export function ServiceName({ service, link = true, color }: { service: string; link?: boolean; color?: string }) {
  const { dark } = useTheme();
  const style: CSSProperties = { background: color ?? hueColor(hueIndex(service), dark) };
  const inner = (
    <>
      <span className="swatch" style={style} />
      <span className="cut">{name(service)}</span>
    </>
  );
  if (!link) return <span className="service">{inner}</span>;
  return (
    <a className="service" href={href(`/service/${encodeURIComponent(service)}`)}>
      {inner}
    </a>
  );
}

/** Three digits, and the unit in a column of its own. */
export function Duration({ ns }: { ns: number }) {
  const { digits, unit } = durationParts(ns);
  return (
    <span>
      {digits}
      <span className="unit">{unit}</span>
    </span>
  );
}
