// Figures of docs/performance.md that need a browser: printed as rows of its table, and never failed by a slow machine.
// `ui/figures WEIR` runs it, with a release binary.

import { readFileSync, rmSync } from "node:fs";
import type { Page } from "playwright-core";
import { expect, it, onTestFinished } from "vitest";
import { done, look, withBrowser } from "./look";
import { hex, LARGE, random, type Span, send, traceId } from "./shop";
import { folder, start } from "./weir";

withBrowser();

const MILLION = 1_000_000;
const MILLION_ID = traceId(4, MILLION);
const ROUNDS = 5;

/** A row of the table; times in ms. */
function tell(what: string, ms: number[], must: string, goal: string) {
  const sorted = ms.toSorted((one, other) => one - other);
  const middle = sorted[Math.floor(sorted.length / 2)]!;
  console.log(`| ${what} | ${middle.toFixed(0)} ms (at most ${sorted.at(-1)!.toFixed(0)}) | ${must} | ${goal} |`);
}

/** From a change of the address, as a link makes it, to what it shows. */
const opened = (page: Page, path: string, shown: string) =>
  page.evaluate(
    async ([path, shown]) => {
      const begin = performance.now();
      window.history.pushState(null, "", path);
      window.dispatchEvent(new PopStateEvent("popstate"));
      while (!document.querySelector(shown!)) await new Promise(requestAnimationFrame);
      return performance.now() - begin;
    },
    [path, shown] as const,
  );

/** The longest time between two frames while `act` goes on; `frames` of them are looked at. */
const longest = (page: Page, act: "scroll" | "wait", frames: number) =>
  page.evaluate(
    async ([act, frames]) => {
      const box = document.querySelector(".rows")!;
      let [most, before] = [0, await new Promise<number>(requestAnimationFrame)];
      for (let step = 0; step < (frames as number); step += 1) {
        if (act === "scroll") box.scrollTop += 4000;
        const now = await new Promise<number>(requestAnimationFrame);
        most = Math.max(most, now - before);
        before = now;
      }
      return most;
    },
    [act, frames] as const,
  );

/** Notes for every key and click how long it takes until the next frame is painted. */
async function watch(page: Page) {
  await page.evaluate(() => {
    const times: number[] = [];
    Object.assign(window, { painted: times });
    const note = (event: Event) => {
      requestAnimationFrame(() => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => times.push(performance.now() - event.timeStamp);
        port2.postMessage(null);
      });
    };
    for (const kind of ["keydown", "click"]) window.addEventListener(kind, note, { capture: true });
  });
}

it("services", async () => {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const begin = performance.now();
    const seen = await look("/");
    await seen.page.locator("table[aria-label=Services] tbody tr").first().waitFor();
    times.push(performance.now() - begin);
    await done(seen);
  }
  tell("Services usable after navigation", times, "1.0 s", "0.5 s");
});

it("a trace of 50,000 spans", async () => {
  const [opening, scrolling, folding, searching]: number[][] = [[], [], [], []];
  for (let round = 0; round < ROUNDS; round += 1) {
    const seen = await look("/traces");
    const { page } = seen;
    await page.locator("table[aria-label=Traces]").waitFor();
    opening!.push(await opened(page, `/trace/${LARGE}`, ".span-row"));
    scrolling!.push(await longest(page, "scroll", 60));
    const fold = longest(page, "wait", 30);
    await page.getByLabel("depth").selectOption("3");
    folding!.push(await fold);
    await page.getByLabel("depth").selectOption("0");
    await page.keyboard.press("Control+f");
    const search = longest(page, "wait", 60);
    await page.keyboard.type("the needle");
    searching!.push(await search);
    await done(seen);
  }
  tell("50,000-span trace: click to usable", opening!, "1.0 s", "0.6 s");
  tell("its longest frame while scrolling", scrolling!, "50 ms", "17 ms");
  tell("its longest frame while folding", folding!, "50 ms", "17 ms");
  tell("its longest frame while searching", searching!, "50 ms", "17 ms");
});

it("keys and clicks", async () => {
  const seen = await look(`/trace/${LARGE}`);
  const { page } = seen;
  await page.locator(".span-row").first().waitFor();
  await watch(page);
  let presses = 0;
  /** The next comes when this one is painted: a moment in which the machine stood still would count for all that were pressed in it. */
  const painted = async () => {
    presses += 1;
    await page.waitForFunction((so) => (window as unknown as { painted: number[] }).painted.length >= so, presses);
  };
  for (const key of ["j", "j", "k", "n", "n", "p", "+", "-", "ArrowLeft", "ArrowRight"]) {
    for (let times = 0; times < 4; times += 1) {
      await page.keyboard.press(key);
      await painted();
    }
  }
  for (let row = 0; row < 20; row += 1) {
    await page.locator(".span-row").nth(row).click();
    await painted();
  }
  const times = await page.evaluate(() => (window as unknown as { painted: number[] }).painted);
  const sorted = times.toSorted((one, other) => one - other);
  const p95 = sorted[Math.floor(sorted.length * 0.95)]!;
  console.log(`| key or click to paint, p95 of ${times.length} | ${p95.toFixed(0)} ms | 100 ms | 50 ms |`);
  await done(seen);
});

it("a trace of 10⁶ spans", async () => {
  const { inject } = await import("vitest");
  const roll = random(9);
  const begin = Date.now() - 60_000;
  for (let first = 0; first < MILLION; first += 10_000) {
    const spans: Span[] = [];
    for (let index = first; index < first + 10_000; index += 1) {
      const above = roll() < 0.8 ? Math.floor((index - 1) / 8) : Math.max(0, index - 1 - Math.floor(roll() * 50));
      spans.push({
        traceId: MILLION_ID,
        spanId: hex(index + 1, 16),
        ...(index === 0 ? {} : { parentSpanId: hex(above + 1, 16) }),
        name: `op ${index % 37}`,
        kind: 1 + (index % 5),
        start: begin + index * 0.01,
        duration: 0.01 + roll() * 5,
        service: `bulk-${index % 20}`,
      });
    }
    await send(inject("otlp"), spans);
  }
  const [window_, middle]: number[][] = [[], []];
  for (let round = 0; round < ROUNDS; round += 1) {
    const seen = await look("/traces");
    const { page } = seen;
    page.setDefaultTimeout(60_000);
    await page.locator("table[aria-label=Traces]").waitFor();
    window_!.push(await opened(page, `/trace/${MILLION_ID}`, ".span-row"));
    // A click in the minimap's middle.
    const box = (await page.locator(".minimap").boundingBox())!;
    const answered = page.waitForResponse((response) => response.url().includes("/columns?"));
    const clicked = performance.now();
    await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
    await (await answered).finished();
    // The rows before are gone while it is waited for.
    await page.locator(".span-row").first().waitFor();
    middle!.push(performance.now() - clicked);
    await done(seen);
  }
  tell("10⁶-span trace: first window", window_!, "2.5 s", "1.5 s");
  tell("jump to its middle", middle!, "0.5 s", "0.2 s");
});

it("demo", async () => {
  const data = folder();
  const config = readFileSync(`${import.meta.dirname}/../../configs/demo.yaml`, "utf8");
  const begin = performance.now();
  const server = await start(data, config.replace(/127\.0\.0\.1:\d+/g, "127.0.0.1:0"), ["demo", "--seed", "7"]);
  onTestFinished(async () => {
    await server.stop();
    rmSync(data, { recursive: true, force: true });
  });
  const seen = await look("/", { base: server.weir });
  const worst = seen.page.locator("table[aria-label=Services] tbody tr").first();
  await expect.poll(() => worst.textContent().catch(() => ""), { timeout: 90_000 }).toMatch(/^cart.*1\.8\.0/);
  tell("`make demo`, built, to the first full page", [performance.now() - begin], "10 s", "5 s");
  await done(seen);
});
