// How pages ask: what is on screen stays, dimmed, while newer data comes; a server that is gone is asked again until it is back.

import { keepPreviousData, QueryClient, type QueryKey, type UseQueryResult, useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { ApiError } from "../api/http";

const AGAIN_MAX_MS = 10_000;

export function newClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 5_000,
        gcTime: 5 * 60_000,
        refetchOnWindowFocus: false,
        networkMode: "always",
        retry: (failures, error) => error instanceof ApiError && error.passing && (error.status === 0 || failures < 3),
        retryDelay: (failures) => Math.min(500 * 2 ** failures, AGAIN_MAX_MS),
      },
    },
  });
}

export interface Asked<T> {
  data: T | undefined;
  error: Error | null;
  /** Newer data is on its way: what is shown is dimmed. */
  stale: boolean;
  /** Nothing to show yet, for long enough that something should be shown. */
  waiting: boolean;
  again: () => void;
}

interface Options<T> {
  enabled?: boolean;
  /** Ask again this often; may depend on what came. */
  everyMs?: number | undefined | ((data: T | undefined) => number | undefined);
  /** Show the answer to the question before while the next one comes. */
  keep?: boolean;
}

export function useAsk<T>(key: QueryKey, ask: (signal: AbortSignal) => Promise<T>, options: Options<T> = {}): Asked<T> {
  const { enabled = true, everyMs, keep = true } = options;
  const result = useQuery<T, Error, T, QueryKey>({
    queryKey: key,
    queryFn: ({ signal }) => ask(signal),
    enabled,
    refetchInterval: (query) => (typeof everyMs === "function" ? everyMs(query.state.data) : everyMs) ?? false,
    ...(keep ? { placeholderData: keepPreviousData } : {}),
  });
  return useAsked(result);
}

export function useAsked<T>(result: UseQueryResult<T>): Asked<T> {
  const late = useLate(result.isLoading, 150);
  // While it is tried again there is a reason already.
  const error = result.error ?? (result.failureCount > 0 ? result.failureReason : null);
  return {
    data: result.data,
    error,
    stale: result.isPlaceholderData,
    waiting: late && !error,
    again: () => void result.refetch(),
  };
}

/** True once something has been so for a while. */
function useLate(is: boolean, ms: number): boolean {
  const [late, setLate] = useState(false);
  useEffect(() => {
    if (!is) return setLate(false);
    const timer = setTimeout(() => setLate(true), ms);
    return () => clearTimeout(timer);
  }, [is, ms]);
  return is && late;
}
