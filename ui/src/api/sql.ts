// SQL: a query and its rows. An answer that is cut short ends with the reason.

import { ask } from "./http";
import { anything, list, nullable, number, type Of, object, record, text } from "./shape";

const answer = object({
  columns: list(object({ name: text, type: text })),
  rows: list(record(anything)),
  error: nullable(object({ code: number, message: text })),
});

export type SqlAnswer = Of<typeof answer>;

/** Texts, which stay as they are, or whole numbers of 16 digits or more. */
const TEXTS_AND_LONG = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\b\d{16,}(?![\d.eE])/g;

/** Whole numbers that JavaScript would round become text, digit by digit. */
export function parseExact(json: string): unknown {
  const quote = (part: string) => (part.startsWith('"') || Number.isSafeInteger(Number(part)) ? part : `"${part}"`);
  return JSON.parse(json.replace(TEXTS_AND_LONG, quote));
}

export function runSql(query: string, signal?: AbortSignal): Promise<SqlAnswer> {
  return ask("/api/v1/sql", answer, { body: query, signal, parse: parseExact });
}
