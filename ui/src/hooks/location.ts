// The address bar is the only state: what is read here is what a colleague sees who gets the link.

import { useCallback, useSyncExternalStore } from "react";

export interface Place {
  path: string;
  search: URLSearchParams;
}

/** Browsers ignore more than some 200 changes in 10 s: a held key must not lose its last one. */
const WRITE_EVERY_MS = 150;

let place = read();
let timer: ReturnType<typeof setTimeout> | null = null;
const listeners = new Set<() => void>();

function read(): Place {
  return { path: window.location.pathname, search: new URLSearchParams(window.location.search) };
}

function text({ path, search }: Place): string {
  const query = search.toString();
  return query ? `${path}?${query}` : path;
}

function tell() {
  for (const listener of listeners) listener();
}

/** What scrolls, and where it was when each entry of the history was left. */
let scroller: HTMLElement | null = null;
const scrolled = new Map<number, number>();
let entry = entryOf(window.history.state);

/** The entry's number, kept in the history beside it. */
function entryOf(state: unknown): number {
  return typeof state === "number" ? state : 0;
}

export function setScroller(element: HTMLElement | null) {
  scroller = element;
}

window.addEventListener("popstate", (event) => {
  if (timer) clearTimeout(timer);
  timer = null;
  scrolled.set(entry, scroller?.scrollTop ?? 0);
  entry = entryOf(event.state);
  place = read();
  tell();
  // What was seen is there again from memory; a page that waits for data begins at its top.
  requestAnimationFrame(() => requestAnimationFrame(() => scroller?.scrollTo(0, scrolled.get(entry) ?? 0)));
});

function write() {
  timer = null;
  window.history.replaceState(entry, "", text(place));
}

/** Writes what waits to be written: the address must be whole before another entry is put on it. */
export function flush() {
  if (timer) {
    clearTimeout(timer);
    write();
  }
}

/** Goes to a path of this page. `replace`: no step for the Back button. */
export function go(href: string, replace = false) {
  const url = new URL(href, window.location.origin);
  const next = { path: url.pathname, search: url.searchParams };
  if (text(next) === text(place)) return;
  if (replace) {
    place = next;
    timer ??= setTimeout(write, WRITE_EVERY_MS);
  } else {
    flush();
    const isOtherPage = next.path !== place.path;
    scrolled.set(entry, scroller?.scrollTop ?? 0);
    entry += 1;
    place = next;
    window.history.pushState(entry, "", text(place));
    if (isOtherPage) scroller?.scrollTo(0, 0);
  }
  tell();
}

export type Changes = Record<string, string | number | null | undefined>;

/** The current address with some parameters changed; null and undefined take one out. */
export function withChanges(changes: Changes, from: Place = place): string {
  const search = new URLSearchParams(from.search);
  for (const [key, value] of Object.entries(changes)) {
    if (value === null || value === undefined || value === "") search.delete(key);
    else search.set(key, String(value));
  }
  return text({ path: from.path, search });
}

/** Changes parameters of the current address. */
export function change(changes: Changes, replace = false) {
  go(withChanges(changes), replace);
}

function subscribe(listener: () => void) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

const current = () => place;

export function usePlace(): Place {
  return useSyncExternalStore(subscribe, current);
}

/** One parameter of the address, "" without it. */
export function useParam(name: string): string {
  return useSyncExternalStore(
    subscribe,
    useCallback(() => place.search.get(name) ?? "", [name]),
  );
}

/** A parameter that is a whole number ≥ 0. */
export function useNumber(name: string, instead: number): number {
  const given = useParam(name);
  return /^\d{1,15}$/.test(given) ? Number(given) : instead;
}

/** A link to a page: the time range goes along, everything else is the new page's. */
export function href(path: string, params: Changes = {}, from: Place = place): string {
  const search = new URLSearchParams();
  for (const key of ["from", "to"]) {
    const value = from.search.get(key);
    if (value && !(key in params)) search.set(key, value);
  }
  return withChanges(params, { path, search });
}

/** The values of a pattern's parts in a path: `/trace/{id}` in `/trace/ff` → {id: "ff"}; null when it does not fit. */
export function match(pattern: string, path: string): Record<string, string> | null {
  const wanted = pattern.split("/");
  const given = path.replace(/(.)\/$/, "$1").split("/");
  if (wanted.length !== given.length) return null;
  const values: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const found = given[index] ?? "";
    if (part.startsWith("{")) {
      try {
        values[part.slice(1, -1)] = decodeURIComponent(found);
      } catch {
        return null;
      }
    } else if (part !== found) return null;
  }
  return values;
}
