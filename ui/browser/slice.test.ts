// The slice: services on real data, into a trace, its spans, Back.

import { expect, inject, it } from "vitest";
import { address, done, look, withBrowser } from "./look";
import { CIRCLE, NASTY, traceId } from "./shop";

withBrowser();

it("shows the services, the one in trouble first", async () => {
  const seen = await look("/");
  const rows = seen.page.locator("table[aria-label=Services] tbody tr");
  await rows.first().waitFor();
  expect(await seen.page.title()).toBe("Services · Weir");
  const names = await rows.locator("td:first-child").allInnerTexts();
  expect(names).toEqual(expect.arrayContaining(["web", "checkout", "payment"]));
  // Versions are asked for beside.
  await rows.filter({ hasText: "payment" }).getByRole("link", { name: "! 1.8.0" }).waitFor();
  await done(seen);
});

it("goes from a service to a trace and back", async () => {
  const seen = await look("/");
  const { page } = seen;
  await page.getByRole("link", { name: "payment" }).first().click();
  await page.getByRole("heading", { name: "payment" }).waitFor();
  await page.getByRole("link", { name: "Failed traces", exact: true }).first().click();
  await page.locator("table[aria-label=Traces] tbody tr a").first().click();
  await page.locator(".span-row").first().waitFor();
  expect(await address(page)).toMatch(/^\/trace\/[0-9a-f]{32}/);
  await page.goBack();
  await page.locator("table[aria-label=Traces] tbody tr").first().waitFor();
  expect(await address(page)).toMatch(/^\/traces\?/);
  await page.goBack();
  expect(await address(page)).toBe("/service/payment");
  await page.goBack();
  expect(await address(page)).toBe("/");
  await done(seen);
});

it("leads from the worst service to the guilty version, span and exception in three clicks", async () => {
  const seen = await look("/");
  const { page } = seen;
  const versions = page
    .locator("table[aria-label=Services] tbody tr", { hasText: "payment" })
    .getByRole("link", { name: "! 1.8.0" });
  await versions.click();
  await page.getByRole("link", { name: "Failed traces", exact: true }).first().click();
  await page.locator("table[aria-label=Traces] tbody tr a").first().click();
  const drawer = page.getByRole("complementary", { name: "Span" });
  await drawer.getByText("the gateway did not answer within 200 ms").first().waitFor();
  expect(await drawer.getByText("1.8.0").count()).toBeGreaterThan(0);
  await done(seen);
});

it("shows a trace with its spans, and one of them from the address alone", async () => {
  const seen = await look(`/trace/${traceId(1, 590)}?span=${(590 * 16 + 6).toString(16).padStart(16, "0")}`);
  const { page } = seen;
  await page.locator(".span-row").first().waitFor();
  expect(await page.locator(".span-row").count()).toBe(7);
  const drawer = page.getByRole("complementary", { name: "Span" });
  await drawer.getByText("charging order 590").waitFor();
  expect(await drawer.innerText()).toContain("service.version");
  await page.keyboard.press("k");
  await drawer.getByRole("heading", { name: "Charge" }).waitFor();
  expect(await address(page)).toContain(`span=${(590 * 16 + 5).toString(16).padStart(16, "0")}`);
  await done(seen);
});

it("says what is odd, and runs nothing that data brings", async () => {
  const seen = await look(`/trace/${NASTY}?span=${(0x20000000).toString(16).padStart(16, "0")}`);
  const { page } = seen;
  await page.getByText("whose parent is not here").waitFor();
  await page.getByRole("complementary", { name: "Span" }).getByText("U+202E").first().waitFor();
  expect(await page.evaluate(() => (window as { hacked?: number }).hacked)).toBeUndefined();
  await done(seen);
  const round = await look(`/trace/${CIRCLE}`);
  await round.page.getByText("parents that form a circle").waitFor();
  expect(await round.page.locator(".span-row").count()).toBe(3);
  await done(round);
});

it("answers its own paths only, and says how long they may be kept", async () => {
  const base = inject("weir");
  const page = await fetch(`${base}/traces`);
  expect([page.status, page.headers.get("cache-control")]).toEqual([200, "no-cache"]);
  expect(page.headers.get("content-security-policy")).not.toContain("unsafe-inline");
  const script = /src="(\/assets\/[^"]+\.js)"/.exec(await page.text())?.[1];
  const asset = await fetch(base + script, { headers: { "accept-encoding": "br" } });
  expect([asset.status, asset.headers.get("content-encoding"), asset.headers.get("cache-control")]).toEqual([
    200,
    "br",
    "public, max-age=31536000, immutable",
  ]);
  expect((await fetch(`${base}/no/such/page`)).status).toBe(404);
  expect((await fetch(`${base}/api`)).status).toBe(200);
});
