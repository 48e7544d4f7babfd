// Durations, numbers, times and texts, before and after.

import { describe, expect, it } from "vitest";
import { csv } from "./csv";
import { duration, durationText } from "./duration";
import { HUES, hueColor, hueDegrees, hueIndex, hueIndices } from "./hue";
import { message, spread } from "./line";
import { about, bytes, percent, rate, short } from "./number";
import { askable } from "./pasted";
import { cut, visible } from "./text";
import { ago, msOf, plus, relativeMs, relativeWords } from "./time";

describe("durations", () => {
  it.each([
    [0, "0 ns"],
    [0.4, "0 ns"],
    [1, "1 ns"],
    [999, "999 ns"],
    [1_000, "1.00 µs"],
    [9_994, "9.99 µs"],
    [9_996, "10.0 µs"],
    [99_950, "100 µs"],
    [999_499, "999 µs"],
    [999_600, "1.00 ms"],
    [1_234_567, "1.23 ms"],
    [59_990_000_000, "1.00 min"],
    [3_600_000_000_000, "1.00 h"],
    [300 * 365.25 * 86_400e9, "300 y"],
    [-1_500_000, "−1.50 ms"],
    [Number.NaN, "–"],
  ])("%d", (ns, text) => expect(duration(ns)).toBe(text));

  it("as conditions write them", () => {
    expect([100e6, 1.5e9, 250, 12_345].map(durationText)).toEqual(["100ms", "1.5s", "250ns", "12.3us"]);
  });
});

describe("numbers", () => {
  it("have three digits", () => {
    expect([0, 7, 0.123, 999, 1234, 1_500_000, 2.5e9].map(short)).toEqual([
      "0",
      "7",
      "0.123",
      "999",
      "1.23k",
      "1.5M",
      "2.5G",
    ]);
    expect([0, 0.00001, 0.0312, 0.12, 0.9999, 1, Number.NaN].map(percent)).toEqual([
      "0 %",
      "< 0.01 %",
      "3.12 %",
      "12.0 %",
      "100 %",
      "100 %",
      "–",
    ]);
    expect([0, 0.01, 12.34, 4000].map(rate)).toEqual(["0 /s", "0.6 /min", "12.3 /s", "4k /s"]);
    expect([12, 2048, 3 * 2 ** 30].map(bytes)).toEqual(["12 B", "2.00 KiB", "3.00 GiB"]);
    expect([about("7", true), about("7", false)]).toEqual(["≈ 7", "7"]);
  });
});

describe("times", () => {
  it("keep nanoseconds beyond 2⁵³", () => {
    expect(msOf("1700000000123456789")).toBe(1_700_000_000_123);
    expect(plus("1700000000123456789", 11)).toBe("1700000000123456800");
    expect(msOf("x")).toBeNaN();
  });
  it("are relative", () => {
    expect([
      relativeMs("-15m", 1e9),
      relativeMs("now-2d", 1e9),
      relativeMs("now", 5),
      relativeMs("2024-01-01", 5),
    ]).toEqual([999_100_000, 827_200_000, 5, null]);
    expect([relativeWords("-1h"), relativeWords("2024")]).toEqual(["last 1 h", null]);
    expect([ago(0, 5_000), ago(0, 180_000), ago(0, 7_200_000), ago(5_000, 0)]).toEqual([
      "5 s ago",
      "3 min ago",
      "2 h ago",
      "in the future",
    ]);
  });
});

describe("texts", () => {
  it("show what hides", () => {
    expect(visible("a\u202eb\u200bc")).toBe("a⟨U+202E⟩b⟨U+200B⟩c");
    expect(visible("ünï 漢字\n\t")).toBe("ünï 漢字\n\t");
    expect(cut("abcdef", 3)).toBe("abc…");
  });
});

describe("hues", () => {
  it("are stable, apart from one another, and never red or amber", () => {
    expect(hueIndex("cart")).toBe(hueIndex("cart"));
    for (let index = 0; index < HUES; index += 1) {
      expect(hueDegrees(index)).toBeGreaterThan(95);
      expect(hueDegrees(index)).toBeLessThan(350);
    }
    const names = ["web", "cart", "checkout", "payment", "stock", "shipping"];
    const indices = hueIndices(names);
    const sorted = [...indices].sort((one, other) => one - other);
    for (let at = 1; at < sorted.length; at += 1) expect(sorted[at]! - sorted[at - 1]!).toBeGreaterThan(1);
    expect(hueIndices(names)).toEqual(indices);
    expect(hueIndices([...Array(500).keys()].map((one) => `service ${one}`))).toHaveLength(500);
    expect(hueColor(0, true)).toMatch(/^oklch\(0\.72 /);
  });
});

describe("log lines", () => {
  it("say their message", () => {
    expect(message("plain text")).toBe("plain text");
    expect(message('{"level":"error","msg":"a \\"quoted\\" word","n":1}')).toBe('a "quoted" word');
    expect(message('{"error":"E","message":"m"}')).toBe("m");
    expect(message('{"error":"E","te')).toBe("E");
    expect(message('{"n":1}')).toBe('{"n":1}');
    expect(spread('{"a":1}')).toBe('{\n "a": 1\n}');
    expect([spread("x"), spread('{"a"')]).toEqual([null, null]);
  });
});

describe("what was pasted", () => {
  it("fits into an address", () => {
    expect(askable("  cart ")).toBe("cart");
    const line = `{"x":"${'"'.repeat(9000)}","trace_id":"4BF92F3577B34DA6A3CE929D0E0E4736"}`;
    expect(askable(line)).toBe("4BF92F3577B34DA6A3CE929D0E0E4736");
    expect(encodeURIComponent(askable("漢".repeat(20_000))).length).toBeLessThan(12_001);
    expect(() => encodeURIComponent(askable(`a${"💥".repeat(20_000)}`))).not.toThrow();
  });
});

describe("CSV", () => {
  it("quotes, and gives a spreadsheet no formula", () => {
    const rows = [
      { a: "=1+1", b: 'x"y' },
      { a: -5, b: "-5" },
      { a: null, b: "two\nlines" },
      { a: { k: 1 }, b: "@x" },
    ];
    expect(csv(["a", "b"], rows)).toBe('a,b\r\n\'=1+1,"x""y"\r\n-5,\'-5\r\n,"two\nlines"\r\n"{""k"":1}",\'@x\r\n');
  });
});
