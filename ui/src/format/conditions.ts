// Conditions of a search: the text and the list of chips are two faces of one thing.

/** Longer ones first: `=~` is not `=`. */
export const OPERATORS = ["!=", "=~", "!~", ">=", "<=", "=", ">", "<"] as const;
export type Operator = (typeof OPERATORS)[number] | "exists" | "absent";

export interface Condition {
  key: string;
  operator: Operator;
  /** Empty for `exists` and `absent`. */
  value: string;
}

export interface Parsed {
  conditions: Condition[];
  /** Where reading stopped, and why. */
  error: { position: number; message: string } | null;
}

/** Characters that end a bare word. */
const BARE = /^[^\s"=!<>~]+/;
const BARE_VALUE = /^[^\s"]+/;

/** Reads a text; what was understood before a mistake is kept. */
export function parse(text: string): Parsed {
  const conditions: Condition[] = [];
  let at = 0;
  const fail = (message: string): Parsed => ({ conditions, error: { position: at, message } });
  const blanks = () => {
    while (at < text.length && /\s/.test(text[at]!)) at += 1;
  };
  const word = (bare: RegExp): string | null => {
    if (text[at] === '"') {
      const end = quotedEnd(text, at);
      if (end < 0) return null;
      try {
        const value: unknown = JSON.parse(text.slice(at, end));
        at = end;
        return String(value);
      } catch {
        return null;
      }
    }
    const match = bare.exec(text.slice(at));
    if (!match) return null;
    at += match[0].length;
    return match[0];
  };
  for (;;) {
    blanks();
    if (at >= text.length) return { conditions, error: null };
    if (/^and(\s|$)/i.test(text.slice(at)) && conditions.length > 0) {
      at += 3;
      continue;
    }
    const negated = text[at] === "!";
    if (negated) at += 1;
    const key = word(BARE);
    if (key === null || key === "") return fail("a key is expected here");
    const before = at;
    blanks();
    const operator = OPERATORS.find((one) => text.startsWith(one, at));
    if (operator === undefined || negated) {
      at = before;
      conditions.push({ key, operator: negated ? "absent" : "exists", value: "" });
      continue;
    }
    at += operator.length;
    if (operator === "=" && text[at] === "=") at += 1;
    blanks();
    const single = /^'([^']*)'(?=\s|$)/.exec(text.slice(at));
    if (single) at += single[0].length;
    const value = single ? single[1]! : word(BARE_VALUE);
    if (value === null) return fail(`a value is expected after ${operator}`);
    conditions.push({ key, operator, value });
  }
}

/** Where the JSON string that begins at `from` ends; -1 when it does not. */
function quotedEnd(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at += 1) {
    if (text[at] === "\\") at += 1;
    else if (text[at] === '"') return at + 1;
  }
  return -1;
}

export function print(conditions: readonly Condition[]): string {
  return conditions.map(printOne).join(" ");
}

export function printOne({ key, operator, value }: Condition): string {
  const name = /^[^\s"=!<>~({[][^\s"=!<>~]*$/.test(key) && !/^(and|or|not)$/i.test(key) ? key : JSON.stringify(key);
  if (operator === "exists") return name;
  if (operator === "absent") return `!${name}`;
  const bare = /^[^\s"]+$/.test(value) && !/^[=~']/.test(value);
  return `${name}${operator}${bare ? value : JSON.stringify(value)}`;
}

/** The text with one more condition; one on the same key with the same operator is replaced. */
export function withCondition(text: string, condition: Condition): string {
  const kept = parse(text).conditions.filter(
    (one) => !(one.key === condition.key && one.operator === condition.operator),
  );
  return print([...kept, condition]);
}
