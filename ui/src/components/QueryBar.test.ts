// What may follow where one writes conditions.

import { expect, it } from "vitest";
import { optionsAt } from "./QueryBar";

const KEYS = [
  {
    key: "http.route",
    field: false,
    types: [],
    spans: 9,
    distinct: 2,
    values: [
      { value: "/cart", spans: 5 },
      { value: "/a b", spans: 1 },
    ],
  },
  { key: "odd key", field: false, types: [], spans: 1, distinct: 1, values: [] },
];
const inserts = (text: string) => optionsAt(text, text.length, KEYS).options.map(({ insert }) => insert);

it("offers keys, then values", () => {
  expect(inserts("htr")[0]).toBe("http.route=");
  expect(inserts("service=x !http")[0]).toBe("!http.route ");
  expect(inserts("http.route=")).toEqual(["http.route=/cart ", 'http.route="/a b" ']);
  expect(inserts("http.route!=/c")).toEqual(["http.route!=/cart "]);
  expect(inserts("status=e")).toEqual(["status=error ", "status=unset "]);
  expect(inserts("odd")).toContain('"odd key"=');
  expect(optionsAt("a=1 htt", 7, KEYS).from).toBe(4);
});
