// What answers look like: each is checked once, where it arrives, so that the rest can rely on its types.

export type Shape<T> = (value: unknown, path: string) => T;

/** An answer that is not what this UI was made for. */
export class ShapeError extends Error {}

const fail = (path: string, expected: string, value: unknown): never => {
  const found = value === null ? "null" : Array.isArray(value) ? "a list" : typeof value;
  throw new ShapeError(`${path || "the answer"}: ${expected} expected, ${found} found`);
};

export const text: Shape<string> = (value, path) => (typeof value === "string" ? value : fail(path, "text", value));
export const number: Shape<number> = (value, path) =>
  typeof value === "number" ? value : fail(path, "a number", value);
export const flag: Shape<boolean> = (value, path) =>
  typeof value === "boolean" ? value : fail(path, "true or false", value);
export const anything: Shape<unknown> = (value) => value;

export function nullable<T>(inner: Shape<T>): Shape<T | null> {
  return (value, path) => (value === null || value === undefined ? null : inner(value, path));
}

/** A key that may be missing. */
export function or<T>(inner: Shape<T>, instead: T): Shape<T> {
  return (value, path) => (value === null || value === undefined ? instead : inner(value, path));
}

export function list<T>(inner: Shape<T>): Shape<T[]> {
  return (value, path) =>
    Array.isArray(value) ? value.map((item, index) => inner(item, `${path}[${index}]`)) : fail(path, "a list", value);
}

/** A list that is long and whose items are looked at by whoever reads them: only that it is a list. */
export const numbers: Shape<number[]> = (value, path) => {
  if (!Array.isArray(value)) return fail(path, "a list", value);
  if (value.length > 0 && typeof value[0] !== "number") return fail(`${path}[0]`, "a number", value[0]);
  return value as number[];
};

export function record<T>(inner: Shape<T>): Shape<Record<string, T>> {
  return (value, path) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return fail(path, "an object", value);
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, inner(item, `${path}.${key}`)]));
  };
}

export function object<T extends Record<string, unknown>>(fields: { [K in keyof T]: Shape<T[K]> }): Shape<T> {
  const entries = Object.entries(fields) as [keyof T & string, Shape<T[keyof T]>][];
  return (value, path) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return fail(path, "an object", value);
    const given = value as Record<string, unknown>;
    return Object.fromEntries(
      entries.map(([key, shape]) => [key, shape(given[key], path ? `${path}.${key}` : key)]),
    ) as T;
  };
}

export type Of<S> = S extends Shape<infer T> ? T : never;
