// How the server is asked: at most four requests at a time, the rest wait; what nobody waits for any more is aborted.

import { type Shape, ShapeError } from "./shape";

/** HTTP/1.1 gives a browser six connections, Weir runs eight queries for everybody. */
export const REQUESTS_MAX = 4;

/** Why there is no answer. `status` 0: the server was not reached. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    /** Where in the conditions' text the mistake is. */
    readonly position: number | null = null,
  ) {
    super(message);
  }

  /** Whether asking again may help. */
  get passing(): boolean {
    return this.status === 0 || this.status === 503;
  }
}

type Waiting = { start: () => void; signal: AbortSignal | undefined };

let running = 0;
const waiting: Waiting[] = [];

async function turn(signal: AbortSignal | undefined): Promise<void> {
  if (running < REQUESTS_MAX) {
    running += 1;
    return;
  }
  await new Promise<void>((resolve, reject) => {
    const entry: Waiting = { start: resolve, signal };
    waiting.push(entry);
    signal?.addEventListener(
      "abort",
      () => {
        const at = waiting.indexOf(entry);
        if (at < 0) return;
        waiting.splice(at, 1);
        reject(new DOMException("left", "AbortError"));
      },
      { once: true },
    );
  });
}

/** The next that still waits takes over the turn. */
function done() {
  const next = waiting.shift();
  if (next) next.start();
  else running -= 1;
}

export type Params = Record<string, string | number | boolean | null | undefined>;

/** A path with its query; what is null, undefined or empty is left out. */
export function target(path: string, params: Params = {}): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(params)) {
    if (value !== null && value !== undefined && value !== "") search.set(key, String(value));
  }
  const query = search.toString();
  return query ? `${path}?${query}` : path;
}

interface Options {
  params?: Params;
  signal?: AbortSignal | undefined;
  /** Sent by POST. */
  body?: string;
  /** Reads the answer's text; JSON otherwise. */
  parse?: (text: string) => unknown;
}

/** Asks and checks the answer's shape. */
export async function ask<T>(path: string, shape: Shape<T>, options: Options = {}): Promise<T> {
  const value = await askJson(path, options);
  try {
    return shape(value);
  } catch (error) {
    if (error instanceof ShapeError)
      throw new ApiError(-1, `This page does not understand the server's answer: ${error.message}`);
    throw error;
  }
}

async function askJson(path: string, { params, signal, body, parse }: Options): Promise<unknown> {
  await turn(signal);
  try {
    signal?.throwIfAborted();
    const init: RequestInit = { signal: signal ?? null, headers: { accept: "application/json" } };
    if (body !== undefined) Object.assign(init, { method: "POST", body });
    let response: Response;
    try {
      response = await fetch(target(path, params), init);
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new ApiError(0, "Weir does not answer.");
    }
    if (!response.ok) throw await refusal(response);
    try {
      return parse ? parse(await response.text()) : await response.json();
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new ApiError(0, "The answer broke off.");
    }
  } finally {
    done();
  }
}

async function refusal(response: Response): Promise<ApiError> {
  let message = `${response.status} ${response.statusText}`;
  let position: number | null = null;
  try {
    const body = (await response.json()) as { error?: { message?: unknown; position?: unknown } };
    if (typeof body.error?.message === "string") message = body.error.message;
    if (typeof body.error?.position === "number") position = body.error.position;
  } catch {
    // Not Weir's own words: the status says what there is to say.
  }
  return new ApiError(response.status, message, position);
}
