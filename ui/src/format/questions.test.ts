// The questions offered are those that docs/sql.md shows, which a test of the server asks.

import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { QUESTIONS } from "./questions";

it("are those of the page", () => {
  const page = readFileSync(`${import.meta.dirname}/../../../docs/sql.md`, "utf8");
  const part = page.slice(page.indexOf("## Fifteen questions"));
  const shown = [...part.matchAll(/### (.+)\n\n```sql\n([\s\S]*?)\n```/g)].map(([, title, sql]) => ({ title, sql }));
  expect(QUESTIONS).toEqual(shown);
  expect(QUESTIONS).toHaveLength(15);
});
