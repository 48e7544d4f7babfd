// Keys that spans have and their frequent values, for completion.

import { ask } from "./http";
import { anything, flag, list, number, type Of, object, or, text } from "./shape";

const attribute = object({
  key: text,
  field: or(flag, false),
  types: or(list(text), []),
  spans: or(number, 0),
  distinct: or(number, 0),
  values: or(list(object({ value: anything, spans: or(number, 0) })), []),
});

const answer = object({ attributes: list(attribute) });

export type AttributeKey = Of<typeof attribute>;

export async function fetchAttributes(
  query: {
    service?: string | undefined;
    from?: string | undefined;
    to?: string | undefined;
    key?: string;
    value_prefix?: string;
    prefix?: string;
  },
  signal?: AbortSignal,
): Promise<AttributeKey[]> {
  return (await ask("/api/v1/attributes", answer, { params: { ...query }, signal })).attributes;
}
