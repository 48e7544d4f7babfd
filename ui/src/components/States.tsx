// What stands where data is not: on its way, none, failed, or not all of it.

import type { ReactNode } from "react";
import { ApiError } from "../api/http";
import type { Asked } from "../hooks/ask";

export function Skeleton({ rows = 8 }: { rows?: number }) {
  return (
    <div className="skeleton" role="status" aria-label="Loading">
      {[...Array(rows).keys()].map((row) => (
        <span key={row} style={{ width: `${96 - ((row * 7) % 23)}%` }} />
      ))}
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="state">
      <h2>{title}</h2>
      <div className="dim">{children}</div>
    </div>
  );
}

/** What a status means for whoever reads it. */
function words(error: Error): { title: string; more: string } {
  if (!(error instanceof ApiError)) return { title: "This page failed", more: error.message };
  switch (error.status) {
    case 0:
      return { title: "Weir does not answer", more: "Is it running? This page asks again by itself." };
    case 503:
      return { title: "Weir is busy", more: `${error.message}. This page asks again by itself.` };
    case 504:
      return { title: "It took too long", more: `${error.message}. A shorter time range or more conditions help.` };
    case 404:
      return { title: "It is not here", more: error.message };
    case 400:
      return { title: "The question cannot be read", more: error.message };
    default:
      return { title: error.status > 0 ? `It failed (${error.status})` : "It failed", more: error.message };
  }
}

export function Failure({ error, again }: { error: Error; again?: () => void }) {
  const { title, more } = words(error);
  return (
    <div className="state" role="alert">
      <h2 className="error">{title}</h2>
      <p className="dim">{more}</p>
      {again && (
        <p style={{ marginTop: 8 }}>
          <button type="button" className="button" onClick={again}>
            Try again
          </button>
        </p>
      )}
    </div>
  );
}

/** That an answer is not whole, and why. */
export function Partial({ partial, because = [] }: { partial: boolean; because?: readonly string[] }) {
  if (!partial) return null;
  return (
    <p className="note" role="status">
      <b>Partial</b>
      <span>{because.length > 0 ? because.join("; ") : "Something was left out: time, a bound, or damaged data."}</span>
    </p>
  );
}

/** Data, or what stands in its place. Data stays on screen when asking again fails. */
export function Shown<T>({
  asked,
  rows,
  children,
}: {
  asked: Asked<T>;
  rows?: number;
  children: (data: T) => ReactNode;
}) {
  const { data, error, stale, waiting, again } = asked;
  if (data === undefined) {
    if (error) return <Failure error={error} again={again} />;
    return waiting ? <Skeleton {...(rows === undefined ? {} : { rows })} /> : null;
  }
  return (
    <div className={stale ? "stale" : undefined}>
      {error && !(error instanceof ApiError && error.passing) && (
        <p className="note" role="alert">
          <b>{words(error).title}</b>
          <span>{words(error).more}</span>
        </p>
      )}
      {children(data)}
    </div>
  );
}
