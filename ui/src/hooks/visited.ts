// Traces that were opened in this browser: their rows are marked in lists. Not state of a page: a memory, like that of links.

const KEY = "weir.visited";
const MAX = 500;

let ids: string[] | null = null;

function load(): string[] {
  if (ids) return ids;
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    ids = Array.isArray(kept) ? kept.filter((one): one is string => typeof one === "string") : [];
  } catch {
    ids = [];
  }
  return ids;
}

export function isVisited(id: string): boolean {
  return load().includes(id);
}

export function visit(id: string) {
  const known = load().filter((one) => one !== id);
  known.push(id);
  ids = known.slice(-MAX);
  try {
    localStorage.setItem(KEY, JSON.stringify(ids));
  } catch {
    // A browser that keeps nothing: no marks.
  }
}
