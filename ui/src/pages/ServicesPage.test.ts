// The service whose canary fails is in more trouble than one that is only busy.

import { expect, it } from "vitest";
import type { Red } from "../api/red";
import { rowsOf } from "./ServicesPage";

const group = (keys: string[], spans: number, error_share: number, p95_ns: number) => ({
  keys,
  spans,
  calls: spans,
  errors: spans * error_share,
  rate: spans / 60,
  error_share,
  p50_ns: 1,
  p95_ns,
  p99_ns: p95_ns,
  max_ns: p95_ns,
  steps: null,
});
const red = (groups: Red["groups"]) => ({ groups }) as Red;

it("knows a bad version by its calls alone", () => {
  const services = red([group(["web"], 10_000, 0.002, 10), group(["payment"], 2_000, 0.006, 20)]);
  const versions = red([
    group(["web", "2.0"], 10_000, 0.002, 10),
    group(["payment", "1.7.4"], 1_900, 0, 20),
    group(["payment", "1.8.0"], 100, 0.12, 60),
  ]);
  const rows = rowsOf(services, versions);
  const [web, payment] = [rows[0]!, rows[1]!];
  expect(payment.versions.map(({ version, why }) => [version, why])).toEqual([
    ["1.8.0", "fails more often than the others"],
    ["1.7.4", null],
  ]);
  expect(payment.trouble.score).toBeGreaterThan(web.trouble.score + 0.9);
});
