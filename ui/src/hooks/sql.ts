// A query of SQL that runs until it has its rows, or somebody stops it.

import { useCallback, useEffect, useRef, useState } from "react";
import { runSql, type SqlAnswer } from "../api/sql";

export interface Run {
  /** What was asked. */
  query: string;
  answer: SqlAnswer | null;
  error: Error | null;
  running: boolean;
  ms: number;
}

export function useSql() {
  const [run, setRun] = useState<Run | null>(null);
  const abort = useRef<AbortController | null>(null);
  useEffect(() => () => abort.current?.abort(), []);
  const cancel = useCallback(() => abort.current?.abort(), []);
  const start = useCallback(async (query: string) => {
    abort.current?.abort();
    const control = new AbortController();
    abort.current = control;
    const begin = performance.now();
    const took = () => performance.now() - begin;
    setRun((before) => ({ query, answer: before?.answer ?? null, error: null, running: true, ms: 0 }));
    try {
      const answer = await runSql(query, control.signal);
      if (abort.current === control) setRun({ query, answer, error: null, running: false, ms: took() });
    } catch (caught) {
      if (abort.current !== control) return;
      const error = control.signal.aborted
        ? new Error("Stopped.")
        : caught instanceof Error
          ? caught
          : new Error(String(caught));
      setRun({ query, answer: null, error, running: false, ms: took() });
    }
  }, []);
  return { run, start, cancel };
}
