// What was pasted, short enough for an address: of a text that is too long what looks like an id, or its beginning.

/** The server takes 16 KiB of path and query. */
const ENCODED_MAX = 12_000;

export function askable(pasted: string): string {
  const text = pasted.trim();
  if (encodeURIComponent(text.slice(0, ENCODED_MAX).toWellFormed()).length <= ENCODED_MAX && text.length <= ENCODED_MAX)
    return text;
  const id = /(?<![0-9a-f])(?:[0-9a-f]{32}|[0-9a-f]{16})(?![0-9a-f])/i.exec(text);
  if (id) return id[0];
  // At worst nine characters for one; a pair of surrogates is not cut in two.
  return [...text.slice(0, ENCODED_MAX / 9)].slice(0, -1).join("");
}
