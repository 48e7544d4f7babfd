// Keyboard alone, addresses that do not fit, and far too much of everything.

import { expect, it } from "vitest";
import { address, done, look, withBrowser } from "./look";
import { traceId } from "./shop";

withBrowser();

it("goes from the services to a failed span by keys alone", async () => {
  const seen = await look("/");
  const { page } = seen;
  await page.locator("table[aria-label=Services] tbody tr").first().waitFor();
  // By name, so that the row is known.
  await page.keyboard.press("Control+k");
  await page.keyboard.type("payment");
  await page.getByRole("option", { name: /Service payment/ }).waitFor();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "payment" }).waitFor();
  await page.locator("table[aria-label=Operations] tbody tr").first().waitFor();
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.locator("table[aria-label=Traces] tbody tr").first().waitFor();
  expect(await address(page)).toContain("service=payment");
  await page.keyboard.press("f");
  await page.keyboard.type("status=error");
  await page.keyboard.press("Enter");
  await expect.poll(() => address(page)).toContain("q=status%3Derror");
  await page.locator("table[aria-label=Traces] tbody tr", { hasText: "! " }).first().waitFor();
  await page.keyboard.press("Escape");
  await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.getByRole("complementary", { name: "Span" }).getByText("GatewayTimeout").first().waitFor();
  await done(seen);
});

it.each([
  `/trace/${traceId(1, 590)}?zoom=abc&fold=zzz.1&depth=-3&root=nothing&span=x&row=-7&view=waterfall&foldsvc=none&old=1`,
  "/traces?pick=1~2&from=yesterday-ish&sort=nope",
  "/?sort=-nothing&from=-1h&unknown=%F0%9F%92%A5",
  "/sql?view=chart",
  "/compare?a=&b=",
])("stands an address that does not fit: %s", async (path) => {
  const seen = await look(path);
  await seen.page.waitForLoadState("networkidle");
  expect(await seen.page.getByText("This page failed").count()).toBe(0);
  expect(await seen.page.locator("main").textContent()).not.toBe("");
  await done(seen, /400/);
});

it("shows ten thousand services, and five thousand keys", async () => {
  const seen = await look("/status");
  const { page } = seen;
  const steps = [...Array(60).keys()];
  const group = (index: number) => ({
    keys: [`service-${index}`],
    spans: 60,
    calls: 60,
    errors: 0,
    rate: 0.1,
    error_share: 0,
    p50_ns: 1e6,
    p95_ns: 2e6,
    p99_ns: 3e6,
    max_ns: 4e6,
    steps: { calls: steps.map(() => 1), errors: steps.map(() => 0), p50_ns: steps, p95_ns: steps, p99_ns: steps },
  });
  const body = JSON.stringify({
    range: { start: null, end: null },
    start_ns: "1700000000000000000",
    step_ns: 60e9,
    steps: 60,
    partial: false,
    weighted: false,
    spans: 600_000,
    groups: [...Array(10_000).keys()].map(group),
  });
  await page.route("**/api/v1/red*", (route) => route.fulfill({ status: 200, contentType: "application/json", body }));
  const begin = Date.now();
  await page.getByRole("link", { name: "Services", exact: true }).click();
  await page.locator("table[aria-label=Services] tbody tr").first().waitFor();
  console.log(`10,000 services: shown after ${Date.now() - begin} ms`);
  expect(await page.locator("table[aria-label=Services] tbody tr").count()).toBe(200);
  await page.getByRole("button", { name: "Errors" }).click();
  await page.getByRole("button", { name: /more of 10/ }).click();
  await expect.poll(() => page.locator("table[aria-label=Services] tbody tr").count()).toBe(700);
  const attributes = JSON.stringify({
    attributes: [...Array(5_000).keys()].map((index) => ({ key: `key.${index}`, spans: 5_000 - index })),
  });
  await page.route("**/api/v1/attributes*", (route) =>
    route.fulfill({ status: 200, contentType: "application/json", body: attributes }),
  );
  await page.getByRole("link", { name: "Traces", exact: true }).click();
  await page.getByRole("combobox", { name: "Conditions" }).waitFor();
  await page.keyboard.press("f");
  await page.keyboard.type("key.499");
  await page.getByRole("option", { name: /key\.4999/ }).waitFor();
  await done(seen);
});
