// A server that is busy, slow, gone and back: the page says so and goes on by itself.

import { rmSync } from "node:fs";
import { expect, it } from "vitest";
import { done, look, withBrowser } from "./look";
import { sendAll } from "./shop";
import { folder, start } from "./weir";

withBrowser();

it("waits for the first span, and shows it by itself", async () => {
  const data = folder();
  const server = await start(data);
  const seen = await look("/", { base: server.weir });
  const { page } = seen;
  await page.getByText("Waiting for the first span").waitFor();
  await page.getByText("OTEL_EXPORTER_OTLP_ENDPOINT=").waitFor();
  await sendAll(server.otlp);
  await page.locator("table[aria-label=Services] tbody tr").first().waitFor();
  // Gone: what is there stays, and it is said.
  await server.stop();
  await page.getByText("Weir does not answer").waitFor({ timeout: 20_000 });
  expect(await page.locator("table[aria-label=Services] tbody tr").count()).toBeGreaterThan(2);
  const port = new URL(server.weir).port;
  const back = await start(
    data,
    `receivers: {otlp: {protocols: {http: {endpoint: '127.0.0.1:0'}}}}\nquery: {endpoint: '127.0.0.1:${port}'}\n`,
  );
  await expect.poll(() => page.getByText("Weir does not answer").count(), { timeout: 20_000 }).toBe(0);
  await done(seen, /Failed to load resource/);
  await back.stop();
  rmSync(data, { recursive: true, force: true });
});

it("says why there is no answer", async () => {
  const seen = await look("/status");
  const { page } = seen;
  const answer = (code: number, message: string) => ({
    status: code,
    contentType: "application/json",
    body: JSON.stringify({ error: { code, message } }),
  });
  await page.route("**/api/v1/search*", (route) =>
    route.fulfill(answer(504, "the query took longer than query.timeout")),
  );
  await page.getByRole("link", { name: "Traces" }).click();
  await page.getByText("It took too long").waitFor();
  await page.unroute("**/api/v1/search*");
  await page.getByRole("button", { name: "Try again" }).click();
  await page.locator("table[aria-label=Traces] tbody tr").first().waitFor();
  await page.route("**/api/v1/red*", (route) =>
    route.fulfill({ status: 200, contentType: "application/json", body: '{"groups": 5}' }),
  );
  await page.getByRole("link", { name: "Services", exact: true }).click();
  await page.getByText("does not understand").first().waitFor();
  await page.goto(new URL("/trace/ffffffffffffffffffffffffffffffff", page.url()).href);
  await page.getByText("Trace ffffffff is not here").waitFor();
  await done(seen, /Failed to load resource/);
});
