// How the server is asked: four at a time, aborted when left, checked when it answers.

import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { ApiError, ask, REQUESTS_MAX, target } from "./http";
import { list, number, object, text } from "./shape";
import { shownValue } from "./span";
import { parseExact } from "./sql";

type Answer = { resolve: (body: unknown, status?: number) => void; signal: AbortSignal | null };
let asked: Answer[] = [];

beforeEach(() => {
  asked = [];
  vi.stubGlobal("fetch", (_: string, init: RequestInit) => {
    return new Promise((resolve, reject) => {
      init.signal?.addEventListener("abort", () => reject(new DOMException("left", "AbortError")));
      asked.push({
        signal: init.signal ?? null,
        resolve: (body, status = 200) => resolve(new Response(JSON.stringify(body), { status })),
      });
    });
  });
});
afterEach(() => vi.unstubAllGlobals());

const shape = object({ n: number });
const tick = () => new Promise((resolve) => setTimeout(resolve, 0));

it("asks four at a time; what was left while it waited is never asked", async () => {
  const controls = [...Array(7).keys()].map(() => new AbortController());
  const answers = controls.map(({ signal }) => ask("/x", shape, { signal }).catch((error) => error.name));
  await tick();
  expect(asked).toHaveLength(REQUESTS_MAX);
  controls[5]!.abort();
  controls[0]!.abort();
  await tick();
  expect(asked).toHaveLength(5);
  for (const { resolve } of asked.slice(1)) resolve({ n: 1 });
  await tick();
  for (const { resolve } of asked.slice(5)) resolve({ n: 2 });
  expect(await Promise.all(answers)).toEqual([
    "AbortError",
    { n: 1 },
    { n: 1 },
    { n: 1 },
    { n: 1 },
    "AbortError",
    { n: 2 },
  ]);
});

it("tells refusals apart", async () => {
  const refused = ask("/x", shape).catch((error: ApiError) => error);
  await tick();
  asked[0]!.resolve({ error: { code: 400, message: "no such key", position: 7 } }, 400);
  const error = await refused;
  expect(error).toMatchObject({ status: 400, message: "no such key", position: 7, passing: false });
  expect([new ApiError(0, "").passing, new ApiError(503, "").passing, new ApiError(504, "").passing]).toEqual([
    true,
    true,
    false,
  ]);
});

it("names what it does not understand", async () => {
  const answer = ask("/x", object({ rows: list(object({ name: text })) })).catch((error: ApiError) => error.message);
  await tick();
  asked[0]!.resolve({ rows: [{ name: "a" }, { name: 5 }] });
  expect(await answer).toContain("rows[1].name: text expected, number found");
});

it("writes parameters, without the empty ones", () => {
  expect(target("/x", { a: "1 2", b: "", c: null, d: 0 })).toBe("/x?a=1+2&d=0");
});

it("keeps whole numbers that JavaScript would round", () => {
  expect(parseExact('{"a":[12345678901234567890,1.5,9007199254740991]}')).toEqual({
    a: ["12345678901234567890", 1.5, 9007199254740991],
  });
});

it("reads OTLP's values", () => {
  expect(shownValue({ intValue: "9007199254740993" })).toEqual({ text: "9007199254740993", type: "int" });
  expect(shownValue({ arrayValue: { values: [{ stringValue: "a" }, { boolValue: true }] } })).toEqual({
    text: '["a",true]',
    type: "list",
  });
  expect(shownValue({ kvlistValue: { values: [{ key: "k", value: { doubleValue: 0.5 } }] } })).toEqual({
    text: '{"k":0.5}',
    type: "map",
  });
  expect(shownValue({})).toEqual({ text: "", type: "empty" });
});
