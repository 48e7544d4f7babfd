// What a log line says: of a JSON object its message, of anything else all of it.

const MESSAGE = /"(?:msg|message|body|event|error)"\s*:\s*"((?:[^"\\]|\\.)*)"/;

/** The message of a line; a line that was cut off may be no whole JSON. */
export function message(line: string): string {
  if (!line.startsWith("{")) return line;
  const found = /"(?:msg|message)"\s*:\s*"((?:[^"\\]|\\.)*)"/.exec(line) ?? MESSAGE.exec(line);
  if (!found) return line;
  try {
    return String(JSON.parse(`"${found[1]}"`));
  } catch {
    return line;
  }
}

/** A JSON line over several lines; null for any other. */
export function spread(line: string): string | null {
  if (!line.startsWith("{")) return null;
  try {
    return JSON.stringify(JSON.parse(line), null, 1);
  } catch {
    return null;
  }
}
