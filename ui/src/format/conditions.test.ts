// The text of conditions and the chips are one: what is printed is read as the same.

import { describe, expect, it } from "vitest";
import { parse, print, withCondition } from "./conditions";

const short = (text: string) =>
  parse(text).conditions.map(({ key, operator, value }) => [key, operator, value].filter((part) => part !== ""));

describe("conditions", () => {
  it.each<[string, string[][]]>([
    ["", []],
    ["service=cart", [["service", "=", "cart"]]],
    ["service==cart", [["service", "=", "cart"]]],
    ["name='GET /cart'", [["name", "=", "GET /cart"]]],
    ["a=\"'b'\"", [["a", "=", "'b'"]]],
    [
      "a>=500 b<3",
      [
        ["a", ">=", "500"],
        ["b", "<", "3"],
      ],
    ],
    [
      "a!=x and b=~x.*",
      [
        ["a", "!=", "x"],
        ["b", "=~", "x.*"],
      ],
    ],
    [
      "!http.route http.method",
      [
        ["http.route", "absent"],
        ["http.method", "exists"],
      ],
    ],
    [
      "a !b",
      [
        ["a", "exists"],
        ["b", "absent"],
      ],
    ],
    [
      '"odd key"="a b" c',
      [
        ["odd key", "=", "a b"],
        ["c", "exists"],
      ],
    ],
    ["route=/order/{id}?x=1", [["route", "=", "/order/{id}?x=1"]]],
    ["duration > 300ms", [["duration", ">", "300ms"]]],
    ['quote="say \\"hi\\""', [["quote", "=", 'say "hi"']]],
  ])("%s", (text, expected) => {
    expect(parse(text).error).toBeNull();
    expect(short(text)).toEqual(expected);
  });

  it("say where they cannot be read, and keep what came before", () => {
    expect(parse("a=1 b=").error).toEqual({ position: 6, message: "a value is expected after =" });
    expect(parse("a=1 b=").conditions).toHaveLength(1);
    expect(parse('a="x').error?.position).toBe(2);
    expect(parse("=x").error?.position).toBe(0);
  });

  it("come back as they were", () => {
    for (const text of ["service=cart !x y z>=5", '"odd key"="a b"', 'a="=b"', 'a=""', '"and"=1', 'a=~"x y"']) {
      const { conditions } = parse(text);
      expect(parse(print(conditions)).conditions).toEqual(conditions);
    }
  });

  it("replace the one on the same key", () => {
    expect(withCondition("a=1 b=2", { key: "a", operator: "=", value: "3" })).toBe("b=2 a=3");
  });
});
