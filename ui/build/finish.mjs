// Finishes dist: compresses what the page loads, lists the paths that the page answers, and holds the first load's size.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const dist = new URL("../dist/", import.meta.url);
const read = (name) => readFileSync(new URL(name, dist));

/** KiB of the first load, gzip. */
const JS_KIB_MAX = 250;
const CSS_KIB_MAX = 45;

const table = readFileSync(new URL("../src/pages/routes.ts", import.meta.url), "utf8");
const paths = [...table.matchAll(/^\s*path: "([^"]+)"/gm)].map((match) => match[1]);
if (paths.length < 2) throw new Error('src/pages/routes.ts: no rows `path: "/…"` found');
writeFileSync(new URL("pages.txt", dist), `${paths.join("\n")}\n`);

// What the built files are made of, with its licences: they ask for their text to go along.
const lock = JSON.parse(readFileSync(new URL("../package-lock.json", import.meta.url), "utf8"));
const licences = [];
for (const [folder, { dev, version, license }] of Object.entries(lock.packages)) {
  if (folder === "" || dev) continue;
  const root = new URL(`../${folder}/`, import.meta.url);
  const file = readdirSync(root).find((name) => /^licen[sc]e/i.test(name));
  const text = file ? readFileSync(new URL(file, root), "utf8").trim() : "";
  licences.push(`${folder.replace(/^.*node_modules\//, "")} ${version} (${license})\n\n${text}`);
}
writeFileSync(new URL("licences.txt", dist), `${licences.join(`\n\n${"-".repeat(80)}\n\n`)}\n`);

const gzipped = new Map();
for (const name of readdirSync(new URL("assets/", dist))) {
  if (!/\.(js|css|svg)$/.test(name)) continue;
  const plain = read(`assets/${name}`);
  const gzip = gzipSync(plain, { level: 9 });
  gzipped.set(`/assets/${name}`, gzip.length);
  const params = { [constants.BROTLI_PARAM_QUALITY]: 10, [constants.BROTLI_PARAM_SIZE_HINT]: plain.length };
  const brotli = brotliCompressSync(plain, { params });
  if (gzip.length < plain.length) writeFileSync(new URL(`assets/${name}.gz`, dist), gzip);
  if (brotli.length < plain.length) writeFileSync(new URL(`assets/${name}.br`, dist), brotli);
}

const page = read("index.html").toString();
const first = (pattern) =>
  [...page.matchAll(/(?:src|href)="([^"]+)"/g)]
    .map((match) => match[1])
    .filter((name) => pattern.test(name))
    .reduce((sum, name) => sum + (gzipped.get(name) ?? 0), 0) / 1024;
const [js, css] = [first(/\.js$/), first(/\.css$/)];
console.log(`first load, gzip: ${js.toFixed(1)} KiB of JavaScript, ${css.toFixed(1)} KiB of CSS`);
if (js > JS_KIB_MAX || css > CSS_KIB_MAX) {
  console.error(`the first load may have ${JS_KIB_MAX} KiB of JavaScript and ${CSS_KIB_MAX} KiB of CSS`);
  process.exit(1);
}
