// A browser for the tests, and what every page must hold: nothing on the console, nothing refused by the policy.

import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, expect, inject } from "vitest";

let browser: Browser;

export function withBrowser() {
  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: ["--no-sandbox"],
    });
  });
  afterAll(async () => {
    await browser?.close();
  });
}

export interface Look {
  page: Page;
  context: BrowserContext;
  /** Everything that went wrong; asked for at the end. */
  problems: string[];
}

/** Opens a path. What fails on purpose is said by `expected`. */
export async function look(path: string, options: { theme?: "light" | "dark"; base?: string } = {}): Promise<Look> {
  const context = await browser.newContext({
    viewport: { width: 1440, height: 900 },
    colorScheme: options.theme ?? "light",
  });
  const page = await context.newPage();
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) problems.push(message.text());
  });
  page.setDefaultTimeout(10_000);
  await page.goto((options.base ?? inject("weir")) + path);
  await page.locator("header.bar").waitFor();
  return { page, context, problems };
}

/** Closes it, and says what went wrong. */
export async function done({ context, problems }: Look, allowed: RegExp = /$^/) {
  await context.close();
  expect(problems.filter((one) => !allowed.test(one))).toEqual([]);
}

/** Path and query of the page's address, once it is written. */
export async function address(page: Page): Promise<string> {
  await page.waitForTimeout(200);
  const url = new URL(page.url());
  return url.pathname + url.search;
}
