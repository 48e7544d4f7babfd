// A value that changes with each press of a held key, as it is once it rests.

import { useEffect, useRef, useState } from "react";

/** The value at once where it was left alone for `ms`; while it keeps changing, the last one it rested at. */
export function useRested<T>(value: T, ms: number): T {
  const [rested, setRested] = useState(value);
  const changed = useRef(Number.NEGATIVE_INFINITY);
  useEffect(() => {
    const before = changed.current;
    changed.current = performance.now();
    if (changed.current - before >= ms) return setRested(value);
    const timer = setTimeout(() => setRested(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return rested;
}
