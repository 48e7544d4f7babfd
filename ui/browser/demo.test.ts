// README's walk through `weir demo`: from the worst service to the guilty version, span and exception.

import { readFileSync, rmSync } from "node:fs";
import { expect, it, onTestFinished } from "vitest";
import { address, done, look, withBrowser } from "./look";
import { folder, start } from "./weir";

withBrowser();

it("finds who is to blame in three clicks", { timeout: 240_000 }, async () => {
  const data = folder();
  // What `make demo` runs, on ports that are free.
  const built = readFileSync(`${import.meta.dirname}/../../configs/demo.yaml`, "utf8");
  const config = built.replace(/127\.0\.0\.1:\d+/g, "127.0.0.1:0");
  const free = /^query:/m.test(config) ? config : `${config}\nquery: {endpoint: '127.0.0.1:0'}\n`;
  const server = await start(data, free, ["demo", "--seed", "7"]);
  onTestFinished(async () => {
    await server.stop();
    rmSync(data, { recursive: true, force: true });
  });
  const seen = await look("/", { base: server.weir });
  const { page } = seen;
  const worst = page.locator("table[aria-label=Services] tbody tr").first();
  // Half an hour of history is written first.
  await expect.poll(() => worst.textContent().catch(() => ""), { timeout: 90_000 }).toMatch(/^cart.*1\.8\.0/);
  await worst.getByRole("link", { name: "! 1.8.0" }).click();
  await page.getByRole("heading", { name: "cart" }).waitFor();
  expect(await address(page)).toBe("/service/cart?version=1.8.0");
  const version = page.locator("table[aria-label=Versions] tbody tr", { hasText: "1.8.0" });
  await version.getByRole("link", { name: "Failed traces" }).click();
  const drawer = page.getByRole("complementary", { name: "Span" });
  // A few calls fail in other ways at any time: then it is the next trace.
  for (let row = 0; ; row += 1) {
    const link = page.locator("table[aria-label=Traces] tbody tr").nth(row).locator("a").first();
    await link.click({ timeout: 30_000 });
    await drawer.getByText("Resource").first().waitFor({ timeout: 30_000 });
    if (row === 5 || (await drawer.textContent())?.includes("PriceTableOverflow")) {
      break;
    }
    await page.goBack();
  }
  expect(await drawer.textContent()).toContain("PriceTableOverflow");
  expect(await drawer.textContent()).toMatch(/service\.version1\.8\.0/);
  await done(seen);
});
