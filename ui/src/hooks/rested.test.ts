// A held key, as a value sees it.

import { act, createElement } from "react";
import { createRoot } from "react-dom/client";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { useRested } from "./rested";

beforeEach(() => {
  vi.useFakeTimers();
  Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });
});
afterEach(() => {
  vi.useRealTimers();
});

function Shown({ value, seen }: { value: string; seen: string[] }) {
  seen.push(useRested(value, 100));
  return null;
}

it("a value left alone comes at once, one that keeps changing when it rests", () => {
  const seen: string[] = [];
  const root = createRoot(document.createElement("div"));
  const show = (value: string) => act(() => root.render(createElement(Shown, { value, seen })));
  const pass = (ms: number) => act(() => vi.advanceTimersByTime(ms));
  show("a");
  pass(500);
  show("b");
  expect(seen.at(-1)).toBe("b");
  for (const value of ["c", "d", "e"]) {
    pass(50);
    show(value);
  }
  expect(seen.at(-1)).toBe("b");
  pass(100);
  expect(seen.at(-1)).toBe("e");
  expect(seen).not.toContain("d");
  pass(500);
  show("f");
  expect(seen.at(-1)).toBe("f");
  act(() => root.unmount());
});
