// The address as the only state: what is written is read, and Back goes one step.

import { beforeEach, expect, it } from "vitest";
import { change, flush, go, href, match, withChanges } from "./location";
import { absolute, before, boundMs } from "./range";

beforeEach(() => {
  go("/");
  flush();
});

it("matches paths, with names that are encoded", () => {
  expect(match("/trace/{id}", "/trace/ff")).toEqual({ id: "ff" });
  expect(match("/service/{name}", "/service/a%2Fb%20c")).toEqual({ name: "a/b c" });
  expect(match("/service/{name}", "/service/%E0%A4%A")).toBeNull();
  expect(match("/", "/")).toEqual({});
  expect(match("/traces", "/traces/")).toEqual({});
  expect(match("/traces", "/trace")).toBeNull();
});

it("takes the range along, and nothing else", () => {
  go("/traces?from=-6h&q=a%3Db");
  expect(href("/service/x", { version: "1" })).toBe("/service/x?from=-6h&version=1");
  expect(href("/trace/ff", { from: null, to: null })).toBe("/trace/ff");
  expect(withChanges({ q: null, sort: "-p95" })).toBe("/traces?from=-6h&sort=-p95");
});

it("writes replaced addresses once, in order", () => {
  const before = window.history.length;
  change({ span: "1" }, true);
  change({ span: "2" }, true);
  expect(window.location.search).toBe("");
  flush();
  expect(window.location.search).toBe("?span=2");
  expect(window.history.length).toBe(before);
  change({ span: "3" }, true);
  go("/sql");
  expect(window.location.pathname).toBe("/sql");
});

it("makes a relative range absolute", () => {
  const now = Date.parse("2026-11-29T12:00:00Z");
  expect(absolute({ from: "-1h", to: "", live: true }, now)).toEqual({
    from: "2026-11-29T11:00:00.000Z",
    to: "2026-11-29T12:00:00.000Z",
  });
  expect(absolute({ from: "", to: "", live: true }, now).from).toBe("all");
  expect(boundMs("1700000000000000000", now)).toBe(1_700_000_000_000);
  expect(boundMs("nonsense", now)).toBeNull();
  expect(before({ from: "-90m", to: "", live: true })).toEqual({ from: "-180m", to: "-90m" });
  expect(before({ from: "2026-01-01", to: "", live: true })).toBeNull();
});
