// How wide the names beside a waterfall are: of the reader, like the theme, not of the page.

import { useCallback, useState } from "react";

const KEY = "weir.names";
const USUAL = 38;
const [MIN, MAX] = [12, 75];

function read(): number {
  try {
    const kept = Number(localStorage.getItem(KEY));
    return kept >= MIN && kept <= MAX ? kept : USUAL;
  } catch {
    return USUAL;
  }
}

/** Percent of the width, and how it is changed. */
export function useNameWidth(): [number, (percent: number) => void] {
  const [percent, setPercent] = useState(read);
  const change = useCallback((wanted: number) => {
    const next = Math.round(Math.max(MIN, Math.min(MAX, wanted)) * 10) / 10;
    setPercent(next);
    try {
      localStorage.setItem(KEY, String(next));
    } catch {
      // A browser that keeps nothing: the usual width next time.
    }
  }, []);
  return [percent, change];
}
