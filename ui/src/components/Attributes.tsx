// Attributes as pairs; a click on a value looks for more spans with it.

import { memo, useState } from "react";
import { type Attribute, shownValue } from "../api/span";
import { printOne } from "../format/conditions";
import { bytes } from "../format/number";
import { cut, visible } from "../format/text";
import { type Changes, href } from "../hooks/location";
import { useRangeAround } from "../hooks/range";

/** Shown at once; the rest when asked for. */
const SHOWN_CHARS = 600;
const PAIRS_SHOWN = 60;
/** More does not fit into an address. */
const CONDITION_CHARS = 500;

interface Props {
  attributes: readonly Attribute[];
  /** Sizes of values that the server has cut, by key. */
  cuts?: ReadonlyMap<string, number>;
  service?: string;
  /** When it was, Unix ns: where others like it are looked for. */
  startNs?: string;
  filter?: boolean;
}

export const Attributes = memo(function Attributes({ attributes, cuts, service, startNs = "", filter = true }: Props) {
  const [all, setAll] = useState(false);
  const around = useRangeAround(startNs);
  if (attributes.length === 0) return <p className="dim">none</p>;
  const sorted = [...attributes].sort((one, other) => (one.key < other.key ? -1 : 1));
  const shown = all ? sorted : sorted.slice(0, PAIRS_SHOWN);
  return (
    <>
      <table className="pairs">
        <tbody>
          {shown.map((attribute, index) => (
            <tr key={`${attribute.key} ${index}`}>
              <th scope="row">{visible(cut(attribute.key, 200))}</th>
              <td>
                <Value
                  attribute={attribute}
                  whole={cuts?.get(attribute.key)}
                  service={service}
                  around={around}
                  filter={filter}
                />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {sorted.length > shown.length && (
        <button type="button" className="button" onClick={() => setAll(true)}>
          All {sorted.length}
        </button>
      )}
    </>
  );
});

interface ValueProps {
  attribute: Attribute;
  whole: number | undefined;
  service: string | undefined;
  around: Changes;
  filter: boolean;
}

function Value({ attribute, whole, service, around, filter }: ValueProps) {
  const [open, setOpen] = useState(false);
  const { text, type } = shownValue(attribute.value);
  const long = text.length > SHOWN_CHARS;
  const shown = visible(open || !long ? text : cut(text, SHOWN_CHARS));
  const condition = printOne({ key: attribute.key, operator: "=", value: text });
  const filters =
    filter && ["text", "int", "double", "bool"].includes(type) && text.length <= CONDITION_CHARS && whole === undefined;
  return (
    <>
      {filters ? (
        <a
          href={href("/traces", {
            q: service ? `${printOne({ key: "service", operator: "=", value: service })} ${condition}` : condition,
            ...around,
          })}
          title="Traces with this"
        >
          {shown || <i className="dim">empty</i>}
        </a>
      ) : (
        <span>{shown || <i className="dim">empty</i>}</span>
      )}
      {type !== "text" && <span className="type">{type}</span>}
      {long && (
        <>
          {" "}
          <button type="button" className="link" onClick={() => setOpen(!open)}>
            {open ? "less" : "more"}
          </button>
        </>
      )}
      {whole !== undefined && <span className="type">cut, {bytes(whole)}</span>}
    </>
  );
}
