// What answers look like: each is checked once, where it arrives, so that the rest can rely on its types.

/** Takes what arrived and gives it back as what it is; throws [`ShapeError`]. */
export type Shape<T> = (value: unknown) => T;

/** An answer that is not what this UI was made for. */
export class ShapeError extends Error {
  /** Where it is: grows outwards while the error rises, so that what is right costs nothing. */
  path = "";

  constructor(readonly what: string) {
    super(what);
  }

  within(part: string): this {
    this.path = this.path === "" || this.path.startsWith("[") ? part + this.path : `${part}.${this.path}`;
    this.message = `${this.path}: ${this.what}`;
    return this;
  }
}

function fail(expected: string, value: unknown): never {
  const found = value === null ? "null" : Array.isArray(value) ? "a list" : typeof value;
  throw new ShapeError(`${expected} expected, ${found} found`);
}

const placed = (error: unknown, part: string) => (error instanceof ShapeError ? error.within(part) : error);

export const text: Shape<string> = (value) => (typeof value === "string" ? value : fail("text", value));
export const number: Shape<number> = (value) => (typeof value === "number" ? value : fail("a number", value));
export const flag: Shape<boolean> = (value) => (typeof value === "boolean" ? value : fail("true or false", value));
export const anything: Shape<unknown> = (value) => value;

export function nullable<T>(inner: Shape<T>): Shape<T | null> {
  return (value) => (value === null || value === undefined ? null : inner(value));
}

/** A key that may be missing. */
export function or<T>(inner: Shape<T>, instead: T): Shape<T> {
  return (value) => (value === null || value === undefined ? instead : inner(value));
}

export function list<T>(inner: Shape<T>): Shape<T[]> {
  return (value) => {
    if (!Array.isArray(value)) return fail("a list", value);
    const items = new Array<T>(value.length);
    let index = 0;
    try {
      for (; index < value.length; index += 1) items[index] = inner(value[index]);
    } catch (error) {
      throw placed(error, `[${index}]`);
    }
    return items;
  };
}

/** A long list, taken as it is. */
export const numbers: Shape<number[]> = (value) => {
  if (!Array.isArray(value)) return fail("a list", value);
  const wrong = value.findIndex((item) => typeof item !== "number");
  if (wrong >= 0) throw placed(new ShapeError("a number expected"), `[${wrong}]`);
  return value as number[];
};

/** The same, where some may be missing. */
export const gaps: Shape<(number | null)[]> = (value) => {
  if (!Array.isArray(value)) return fail("a list", value);
  const wrong = value.findIndex((item) => typeof item !== "number" && item !== null);
  if (wrong >= 0) throw placed(new ShapeError("a number or null expected"), `[${wrong}]`);
  return value as (number | null)[];
};

export function record<T>(inner: Shape<T>): Shape<Record<string, T>> {
  return (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return fail("an object", value);
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, at(inner, item, key)]));
  };
}

export function object<T extends Record<string, unknown>>(fields: { [K in keyof T]: Shape<T[K]> }): Shape<T> {
  const entries = Object.entries(fields) as [keyof T & string, Shape<T[keyof T]>][];
  return (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return fail("an object", value);
    const given = value as Record<string, unknown>;
    const made: Record<string, unknown> = {};
    for (const [key, shape] of entries) made[key] = at(shape, given[key], key);
    return made as T;
  };
}

function at<T>(shape: Shape<T>, value: unknown, part: string): T {
  try {
    return shape(value);
  } catch (error) {
    throw placed(error, part);
  }
}

export type Of<S> = S extends Shape<infer T> ? T : never;
