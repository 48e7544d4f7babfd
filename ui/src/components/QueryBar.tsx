// The conditions of a search: a text, and the same as chips. Both are the parameter `q`.

import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from "react";
import type { AttributeKey } from "../api/attributes";
import { type Condition, OPERATORS, parse, print, printOne } from "../format/conditions";
import { fitness } from "../format/fuzzy";
import { visible } from "../format/text";
import { useAttributes } from "../hooks/data";
import { useShortcuts } from "../hooks/keys";
import { change, useParam } from "../hooks/location";
import { useRange } from "../hooks/range";

interface Option {
  text: string;
  more: string;
  /** What stands in the text from `from` on once it is taken. */
  insert: string;
}

const OPTIONS_MAX = 40;
/** Fields that spans have without sending them. */
const FIELDS: readonly [string, readonly string[]][] = [
  ["service", []],
  ["operation", []],
  ["duration", ["100ms", "1s"]],
  ["status", ["error", "ok", "unset"]],
  ["error", ["true", "false"]],
  ["kind", ["server", "client", "internal", "producer", "consumer"]],
  ["state", ["pending", "kept"]],
  ["policy", []],
  ["entry", ["true"]],
  ["parent", []],
];

/** What may follow at the cursor: a key, or a value of the key before it. */
export function optionsAt(
  text: string,
  cursor: number,
  keys: readonly AttributeKey[],
): { from: number; options: Option[] } {
  const before = text.slice(0, cursor);
  const word = /("(?:[^"\\]|\\.)*"?|[^\s"])*$/.exec(before)?.[0] ?? "";
  const from = cursor - word.length;
  const operator = OPERATORS.map((one) => [one, word.indexOf(one, 1)] as const)
    .filter(([, at]) => at > 0)
    .sort((one, other) => one[1] - other[1] || other[0].length - one[0].length)[0];
  if (operator) {
    const [sign, at] = operator;
    const key = word.slice(0, at).replaceAll('"', "");
    const typed = word.slice(at + sign.length).replace(/^"/, "");
    const known =
      keys.find((one) => one.key === key)?.values.map(({ value, spans }) => [String(value), `${spans}`] as const) ?? [];
    const field = FIELDS.find(([name]) => name === key)?.[1].map((value) => [value, ""] as const) ?? [];
    const seen = new Set(known.map(([value]) => value));
    const options = [...known, ...field.filter(([value]) => !seen.has(value))]
      .map(([value, more]) => ({ value, more, score: fitness(value, typed) }))
      .filter(({ score }) => score >= 0)
      .slice(0, OPTIONS_MAX)
      .map(({ value, more }) => ({ text: value, more, insert: `${printOne({ key, operator: sign, value })} ` }));
    return { from, options };
  }
  const negated = word.startsWith("!");
  const typed = word.replace(/^!/, "").replaceAll('"', "");
  const names = new Map<string, string>(FIELDS.map(([key]) => [key, "field"]));
  for (const { key, spans } of keys) if (!names.has(key)) names.set(key, `${spans}`);
  const options = [...names]
    .map(([key, more]) => ({ key, more, score: fitness(key, typed) }))
    .filter(({ score }) => score >= 0)
    .sort((one, other) => other.score - one.score)
    .slice(0, OPTIONS_MAX)
    .map(({ key, more }) => {
      const name = printOne({ key, operator: "exists", value: "" });
      return { text: key, more, insert: negated ? `!${name} ` : `${name}=` };
    });
  return { from, options };
}

export function QueryBar({ position }: { position?: number | null }) {
  const q = useParam("q");
  const range = useRange();
  const [typed, setTyped] = useState(q);
  const [open, setOpen] = useState(false);
  const [chosen, setChosen] = useState(-1);
  const [cursor, setCursor] = useState(q.length);
  const input = useRef<HTMLInputElement>(null);
  const keys = useAttributes("", range, open);
  useEffect(() => setTyped(q), [q]);
  useShortcuts([{ keys: "f", about: "Write conditions", run: () => input.current?.focus() }]);
  const { from, options } = useMemo(() => optionsAt(typed, cursor, keys.data ?? []), [typed, cursor, keys.data]);
  const parsed = useMemo(() => parse(q), [q]);
  const apply = (text: string) => {
    setOpen(false);
    change({ q: text.trim() });
  };
  const take = (option: Option) => {
    const text = typed.slice(0, from) + option.insert + typed.slice(cursor);
    const at = from + option.insert.length;
    setTyped(text);
    setCursor(at);
    setChosen(-1);
    requestAnimationFrame(() => input.current?.setSelectionRange(at, at));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && open && options.length > 0) {
      event.preventDefault();
      setChosen((before) => (before + step + options.length + (before < 0 && step < 0 ? 1 : 0)) % options.length);
    } else if (event.key === "Enter" || (event.key === "Tab" && open && chosen >= 0)) {
      const option = open && chosen >= 0 ? options[chosen] : undefined;
      if (option) event.preventDefault();
      if (option) take(option);
      else apply(typed);
    } else if (event.key === "Escape") {
      setOpen(false);
      event.currentTarget instanceof HTMLElement && event.currentTarget.blur();
    }
  };
  const mistake = parsed.error?.position ?? position ?? null;
  return (
    <div className="query" role="search">
      <div className="text">
        <input
          ref={input}
          className="input mono"
          aria-label="Conditions"
          placeholder="service=checkout http.response.status_code>=500 duration>300ms"
          role="combobox"
          aria-expanded={open && options.length > 0}
          aria-controls="options"
          aria-activedescendant={chosen >= 0 ? `option-${chosen}` : undefined}
          aria-invalid={mistake !== null && q !== ""}
          value={typed}
          spellCheck={false}
          autoComplete="off"
          onChange={(event) => {
            setTyped(event.target.value);
            setCursor(event.target.selectionStart ?? event.target.value.length);
            setOpen(true);
            setChosen(-1);
          }}
          onSelect={(event) => setCursor(event.currentTarget.selectionStart ?? 0)}
          onFocus={() => setOpen(true)}
          onBlur={() => setOpen(false)}
          onKeyDown={onKeyDown}
        />
        {open && options.length > 0 && (
          <ul className="options" id="options" role="listbox" aria-label="What may follow">
            {options.map((option, index) => (
              // biome-ignore lint/a11y/useKeyWithClickEvents: the input has the keys.
              <li
                key={option.text}
                id={`option-${index}`}
                role="option"
                tabIndex={-1}
                aria-selected={index === chosen}
                // Before the input loses the focus.
                onMouseDown={(event) => event.preventDefault()}
                onClick={() => take(option)}
              >
                <span className="cut mono">{visible(option.text)}</span>
                <span className="dim">{option.more}</span>
              </li>
            ))}
          </ul>
        )}
      </div>
      <button type="button" className="button primary" onClick={() => apply(typed)}>
        Search
      </button>
      <Chips conditions={parsed.conditions} />
      {mistake !== null && q !== "" && (
        <span className="error" role="alert">
          {parsed.error?.message ?? "this cannot be read"} (at {mistake + 1})
        </span>
      )}
    </div>
  );
}

function Chips({ conditions }: { conditions: readonly Condition[] }) {
  if (conditions.length === 0) return null;
  return (
    <div className="row" style={{ flexWrap: "wrap", width: "100%", gap: 4 }}>
      {conditions.map((condition, index) => (
        <span key={`${printOne(condition)} ${index}`} className="chip mono">
          <span className="cut">{visible(printOne(condition))}</span>
          <button
            type="button"
            aria-label={`Without ${printOne(condition)}`}
            onClick={() => change({ q: print(conditions.filter((_, at) => at !== index)) })}
          >
            ×
          </button>
        </span>
      ))}
    </div>
  );
}
