// What is around every page: menu, find, time range, the link to share, the theme, the keys.

import { useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useEffect, useState } from "react";
import { ApiError } from "../api/http";
import { useShortcuts } from "../hooks/keys";
import { change, flush, go, href, setScroller, withChanges } from "../hooks/location";
import { absolute, useRange } from "../hooks/range";
import { useTheme } from "../hooks/theme";
import { Icon } from "./Icon";
import { KeysHelp } from "./KeysHelp";
import { Palette } from "./Palette";
import { RangePicker } from "./RangePicker";

export interface MenuEntry {
  path: string;
  name: string;
  key: string;
}

/** Pages that show one moment whatever the range: a trace needs none. */
const WITHOUT_RANGE = /^\/(trace\/|status|sql)/;

export function Frame({ menu, path, children }: { menu: readonly MenuEntry[]; path: string; children: ReactNode }) {
  const [palette, setPalette] = useState(false);
  const [help, setHelp] = useState(false);
  const theme = useTheme();
  const outage = useOutage();
  useShortcuts([
    { keys: "ctrl+k", about: "Find anything", run: () => setPalette(true), always: true },
    { keys: "/", about: "Find anything", run: () => setPalette(true) },
    { keys: "?", about: "These keys", run: () => setHelp(true) },
    { keys: "t", about: "Dark or light", run: theme.toggle },
    ...menu.map(({ key, name, path: to }) => ({ keys: `g ${key}`, about: name, run: () => go(href(to)) })),
  ]);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents lint/a11y/noStaticElementInteractions: links within take the keys themselves.
    <div className="frame" onClick={followLink}>
      <header className="bar">
        <a className="brand" href={href("/")} aria-label="Weir: services">
          <Icon name="weir" />
          Weir
        </a>
        <nav className="nav" aria-label="Pages">
          {menu.map((entry) => (
            <a key={entry.path} href={href(entry.path)} aria-current={isWithin(path, entry.path) ? "page" : undefined}>
              {entry.name}
            </a>
          ))}
        </nav>
        <span className="grow" />
        <button type="button" className="button find-button" onClick={() => setPalette(true)}>
          <span>Find a trace, a service …</span>
          <kbd>Ctrl K</kbd>
        </button>
        {!WITHOUT_RANGE.test(path) && <RangePicker />}
        <CopyLink />
        <button
          type="button"
          className="button quiet"
          onClick={theme.toggle}
          title={theme.dark ? "Light (t)" : "Dark (t)"}
          aria-label={theme.dark ? "Light theme" : "Dark theme"}
        >
          <Icon name={theme.dark ? "sun" : "moon"} />
        </button>
        <button type="button" className="button quiet" onClick={() => setHelp(true)} title="Keys (?)" aria-label="Keys">
          ?
        </button>
      </header>
      {outage ? (
        <div className="outage" role="status">
          {outage}
        </div>
      ) : (
        <div />
      )}
      <main className="page" ref={setScroller}>
        {children}
      </main>
      {palette && <Palette menu={menu} close={() => setPalette(false)} />}
      {help && <KeysHelp close={() => setHelp(false)} />}
    </div>
  );
}

function isWithin(path: string, entry: string): boolean {
  if (entry === "/") return path === "/" || path.startsWith("/service/");
  if (entry === "/traces") return /^\/(traces?|compare)(\/|$)/.test(path);
  return path.startsWith(entry);
}

/** Links within the UI change the address without loading the page again. */
function followLink(event: React.MouseEvent) {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
    return;
  const link = (event.target as Element).closest("a");
  const to = link?.getAttribute("href");
  if (!link || !to?.startsWith("/") || link.target || /^\/(api|metrics|jaeger|licences)/.test(to)) return;
  event.preventDefault();
  go(to);
}

/** The address as it is, but with a range that is the same tomorrow. */
function CopyLink() {
  const range = useRange();
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    flush();
    const has = !WITHOUT_RANGE.test(window.location.pathname);
    const url = new URL(withChanges(has ? absolute(range, Date.now()) : {}), window.location.origin);
    try {
      await navigator.clipboard.writeText(url.href);
      setCopied(true);
      setTimeout(() => setCopied(false), 1500);
    } catch {
      // No clipboard without TLS, except on localhost: the absolute address goes where it can be copied.
      if (has) change(absolute(range, Date.now()));
    }
  };
  return (
    <button
      type="button"
      className="button quiet"
      onClick={copy}
      title="Copy a link that shows the same tomorrow"
      aria-label="Copy link"
    >
      <Icon name={copied ? "check" : "link"} />
    </button>
  );
}

const GONE = "Weir does not answer. What you see is from before; this page goes on by itself when it is back.";
const BUSY = "Weir is busy: asking again.";

/** Why nothing new comes, while the server is away or busy. */
function useOutage(): string | null {
  const client = useQueryClient();
  const [reason, setReason] = useState<string | null>(null);
  useEffect(() => {
    const cache = client.getQueryCache();
    const look = () => {
      const failing = cache.getAll().find((query) => {
        const { fetchStatus, fetchFailureCount, fetchFailureReason } = query.state;
        const isTried = fetchStatus === "fetching" && fetchFailureCount > 0;
        return isTried && query.isActive() && fetchFailureReason instanceof ApiError && fetchFailureReason.passing;
      });
      const error = failing?.state.fetchFailureReason;
      setReason(error instanceof ApiError ? (error.status === 0 ? GONE : BUSY) : null);
    };
    return cache.subscribe(look);
  }, [client]);
  return reason;
}
