// Text that others sent: cut where it is long, its invisible characters shown.

/** Characters that hide or turn text around: controls, zero width, directions. */
const INVISIBLE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for.
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;

/** Invisible characters as `⟨U+200B⟩`, so that two names which differ look different. */
export function visible(text: string): string {
  return text.replace(INVISIBLE, (one) => `⟨U+${one.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

/** The first characters, and an ellipsis where there were more. */
export function cut(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max)}…`;
}

/** A short form of a trace's or span's id. */
export function shortId(id: string): string {
  return id.slice(0, 8);
}
