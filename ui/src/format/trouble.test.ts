// Which service is in trouble, and which version stands out.

import { expect, it } from "vitest";
import { standsOut, troubleOf } from "./trouble";

const course = (calls: number[], errors: number[], p95_ns: (number | null)[]) => ({ calls, errors, p95_ns });

it("finds what fails now and what has become slower", () => {
  const quiet = troubleOf(course([50, 50, 50, 50, 50, 50], [0, 0, 1, 0, 0, 0], [1e6, 1e6, 1e6, 1e6, 1e6, 1e6]));
  const failing = troubleOf(course([50, 50, 50, 50, 50, 50], [0, 0, 0, 0, 6, 6], [1e6, 1e6, 1e6, 1e6, 1e6, 1e6]));
  const slow = troubleOf(course([50, 50, 50, 50, 50, 50], [0, 0, 0, 0, 0, 0], [1e6, 1e6, 1e6, 1e6, 3e6, 3e6]));
  expect(quiet.score).toBeLessThan(0.1);
  expect(failing.errorShare).toBeCloseTo(0.12);
  expect(slow.slower).toBeCloseTo(3);
  expect(failing.score).toBeGreaterThan(slow.score);
  expect(slow.score).toBeGreaterThan(quiet.score);
});

it("says nothing from few calls, or none", () => {
  expect(troubleOf(course([0, 0], [0, 0], [null, null])).score).toBe(0);
  expect(troubleOf(course([3, 3, 3], [0, 0, 0], [1e6, 1e6, 9e6])).slower).toBe(1);
  const few = troubleOf(course([0, 0, 3], [0, 0, 1], [null, null, 1e6]));
  const many = troubleOf(course([0, 0, 300], [0, 0, 60], [null, null, 1e6]));
  expect(few.score).toBeLessThan(many.score);
});

it("compares a version with the others of its service", () => {
  const stable = { version: "1.7", spans: 1000, error_share: 0.001, p95_ns: 1e6 };
  const canary = { version: "1.8", spans: 60, error_share: 0.12, p95_ns: 3e6 };
  expect(standsOut(canary, [stable, canary])).toBe("fails more often than the others");
  expect(standsOut({ ...canary, error_share: 0 }, [stable, canary])).toBe("is slower than the others");
  expect(standsOut(stable, [stable, canary])).toBeNull();
  expect(standsOut({ ...canary, spans: 3 }, [stable, canary])).toBeNull();
  expect(standsOut(canary, [canary])).toBeNull();
});
