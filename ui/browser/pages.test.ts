// Every page in both themes: it shows data, the policy refuses nothing, axe finds nothing serious.

import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { expect, it } from "vitest";
import { address, done, look, withBrowser } from "./look";
import { hex, traceId } from "./shop";

withBrowser();

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** Where pictures of every page go; none without it. */
const SHOTS = process.env.SHOTS;

const PAGES: readonly [string, string, string][] = [
  ["services", "/", "table[aria-label=Services] tbody tr"],
  ["service", "/service/payment", "table[aria-label=Versions] tbody tr"],
  ["traces", "/traces?q=service%3Dpayment", "table[aria-label=Traces] tbody tr"],
  ["trace", `/trace/${traceId(1, 590)}?span=${(590 * 16 + 6).toString(16).padStart(16, "0")}`, ".drawer section"],
  ["flamegraph", `/trace/${traceId(1, 590)}?view=flame`, ".flame-node"],
  ["compare", `/compare?a=${traceId(1, 590)}&b=${traceId(1, 591)}`, "table[aria-label='Operations of both'] tbody tr"],
  [
    "versions",
    "/compare?service=payment&aq=service.version%3D1.8.0&bq=service.version%3D1.7.4",
    "table[aria-label='Both selections'] tbody tr",
  ],
  [
    "sql",
    `/sql?query=${encodeURIComponent("SELECT service, count(*) AS n FROM spans GROUP BY service")}`,
    "table[aria-label=Result] tbody tr",
  ],
  ["status", "/status", "[data-ledger=traces]"],
];

for (const theme of ["light", "dark"] as const) {
  it.each(PAGES)(`%s is whole in ${theme}`, async (name, path, shows) => {
    const seen = await look(path, { theme });
    const { page } = seen;
    await page.locator(shows).first().waitFor();
    await page.waitForLoadState("networkidle");
    expect(await page.locator("html").getAttribute("data-mantine-color-scheme")).toBe(theme);
    expect(await page.locator("[role=alert]").allTextContents()).toEqual([]);
    if (SHOTS) {
      mkdirSync(SHOTS, { recursive: true });
      await page.screenshot({ path: `${SHOTS}/${name}-${theme}.png` });
    }
    const serious = await seriousOf(page);
    expect(serious).toEqual([]);
    await done(seen);
  });
}

/** axe as text: a page with a policy takes no script but its own, except from the debugger. */
async function seriousOf(page: import("playwright-core").Page): Promise<string[]> {
  await page.evaluate(AXE);
  return page.evaluate(async () => {
    type Found = {
      violations: { id: string; impact: string; nodes: { target: string[]; failureSummary: string }[] }[];
    };
    const { axe } = window as unknown as { axe: { run: () => Promise<Found> } };
    const { violations } = await axe.run();
    return violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .map(({ id, nodes }) => `${id}: ${nodes[0]?.target.join(" ")} (${nodes.length}): ${nodes[0]?.failureSummary}`);
  });
}

it("finds what is pasted", async () => {
  const seen = await look("/status");
  const { page } = seen;
  await page.keyboard.press("Control+k");
  await page.keyboard.insertText(`00-${traceId(1, 590)}-${hex(590 * 16 + 1, 16)}-01`);
  await page
    .getByRole("option", { name: /^(Trace|Span) / })
    .first()
    .waitFor();
  await page.keyboard.press("Enter");
  await page.locator(".span-row").first().waitFor();
  expect(await address(page)).toContain(traceId(1, 590));
  await page.keyboard.press("Control+k");
  await page.keyboard.insertText("payment");
  await page
    .getByRole("option", { name: /Service payment/ })
    .first()
    .click();
  await page.getByRole("heading", { name: "payment" }).waitFor();
  await page.keyboard.press("Control+k");
  await page.keyboard.insertText("0123456789abcdef0123456789abcdef");
  await page.getByRole("dialog").getByRole("status").waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("g");
  await page.keyboard.press("q");
  await page.getByRole("navigation", { name: "Questions" }).waitFor();
  await done(seen);
});

it("says what is different within a piece of the heatmap", async () => {
  const seen = await look("/traces?q=service%3Dpayment%20operation%3DCharge");
  const { page } = seen;
  const heat = page.locator(".heat");
  await heat.waitFor();
  const box = (await heat.boundingBox())!;
  // The slow half, whatever its time.
  await page.mouse.move(box.x + 4, box.y + 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width - 4, box.y + box.height / 2, { steps: 4 });
  await page.mouse.up();
  const table = page.getByRole("table", { name: "What differs" });
  await table.getByText("1.8.0").waitFor();
  expect(await table.locator("tbody tr").first().textContent()).toContain("service.version");
  expect(await address(page)).toContain("pick=");
  await page.goBack();
  expect(await address(page)).not.toContain("pick=");
  await done(seen);
});

it("searches by conditions that are one with the address", async () => {
  const seen = await look("/traces");
  const { page } = seen;
  const input = page.getByRole("combobox", { name: "Conditions" });
  await input.fill("service=payment service.version=1.8.0");
  await page.keyboard.press("Enter");
  await page.getByText("service.version=1.8.0", { exact: true }).waitFor();
  expect(await address(page)).toBe("/traces?q=service%3Dpayment+service.version%3D1.8.0");
  await page.getByRole("button", { name: "Without service=payment" }).click();
  expect(await address(page)).toBe("/traces?q=service.version%3D1.8.0");
  expect(await input.inputValue()).toBe("service.version=1.8.0");
  await page.goBack();
  await expect.poll(() => input.inputValue()).toBe("service=payment service.version=1.8.0");
  await input.fill("service=");
  await page.keyboard.press("Enter");
  await page.getByText("a value is expected").waitFor();
  await done(seen, /400/);
});
