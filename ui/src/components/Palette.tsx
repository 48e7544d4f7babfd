// Ctrl-K: paste or type anything, and go there; or read why there is nothing.

import { useDeferredValue, useEffect, useMemo, useRef, useState } from "react";
import type { Place } from "../api/find";
import { askable } from "../format/pasted";
import { visible } from "../format/text";
import { ago, msOf } from "../format/time";
import { useFind } from "../hooks/data";
import { go, href } from "../hooks/location";
import { Dialog } from "./Dialog";
import type { MenuEntry } from "./Frame";

interface Target {
  id: string;
  kind: string;
  name: string;
  more: string;
  href: string;
}

/** How long typing rests before the server is asked. */
const REST_MS = 120;

export function targetOf(place: Place, nowMs: number): Target | null {
  const { service, operation } = place;
  switch (place.kind) {
    case "trace":
    case "span": {
      const when = place.start_ns ? ago(msOf(place.start_ns), nowMs) : "";
      const state = place.state === "pending" ? "pending" : "";
      return {
        id: `${place.trace_id}/${place.span_id ?? ""}`,
        kind: place.span_id ? "Span" : "Trace",
        name: service ? `${service} · ${operation ?? ""}` : place.trace_id,
        more: [place.trace_id.slice(0, 8), when, state].filter(Boolean).join(" · "),
        href: href(`/trace/${place.trace_id}`, { span: place.span_id, from: null, to: null }),
      };
    }
    case "service":
      return {
        id: service ?? "",
        kind: "Service",
        name: service ?? "",
        more: "",
        href: href(`/service/${encodeURIComponent(service ?? "")}`),
      };
    case "operation":
      return {
        id: `${service}/${operation}`,
        kind: "Operation",
        name: operation ?? "",
        more: service ?? "",
        href: href(`/service/${encodeURIComponent(service ?? "")}`, { operation }),
      };
    case "attribute":
      return {
        id: `${place.key}=${place.value}`,
        kind: "Traces",
        name: `${place.key} = ${place.value}`,
        more: service ?? "",
        href: href("/traces", { q: place.q }),
      };
    default:
      return null;
  }
}

export function Palette({ menu, close }: { menu: readonly MenuEntry[]; close: () => void }) {
  const [typed, setTyped] = useState("");
  const [sent, setSent] = useState("");
  const [chosen, setChosen] = useState(0);
  const [entered, setEntered] = useState(false);
  const list = useRef<HTMLUListElement>(null);
  useEffect(() => {
    const timer = setTimeout(() => setSent(askable(typed)), REST_MS);
    return () => clearTimeout(timer);
  }, [typed]);
  const asked = useFind(sent);
  const found = useDeferredValue(sent === "" ? undefined : asked.data);
  const targets = useMemo<Target[]>(() => {
    const pages = menu
      .filter(({ name }) => typed === "" || name.toLowerCase().startsWith(typed.toLowerCase()))
      .map(({ name, path }) => ({ id: path, kind: "Page", name, more: "", href: href(path) }));
    const now = Date.now();
    return [...(found?.places ?? []).flatMap((place) => targetOf(place, now) ?? []), ...pages];
  }, [found, menu, typed]);
  const ready =
    askable(typed) === sent && (sent === "" || (asked.data !== undefined && !asked.stale && found === asked.data));
  const at = Math.min(chosen, Math.max(0, targets.length - 1));
  const open = (target: Target | undefined) => {
    if (!target) return;
    close();
    go(target.href);
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      setChosen((at + step + targets.length) % Math.max(1, targets.length));
    } else if (event.key === "Enter") {
      event.preventDefault();
      // Pasted and entered at once: the answer to what stands there now, as soon as it has come.
      if (ready) open(targets[at]);
      else setEntered(true);
    }
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: it opens once, when the answer has come.
  useEffect(() => {
    if (!entered || !ready) return;
    setEntered(false);
    open(targets[at]);
  }, [entered, ready]);
  useEffect(() => {
    list.current?.children[at]?.scrollIntoView({ block: "nearest" });
  }, [at]);
  return (
    <Dialog label="Find" close={close}>
      <input
        className="palette-input"
        data-autofocus
        // At once: what is typed right behind Ctrl-K is typed here.
        autoFocus
        aria-label="Find"
        placeholder="A trace id, traceparent, link, log line, service, operation, pod, route …"
        value={typed}
        spellCheck={false}
        role="combobox"
        aria-expanded={targets.length > 0}
        aria-controls="palette"
        aria-activedescendant={targets[at] ? `palette-${at}` : undefined}
        onChange={(event) => {
          setTyped(event.target.value);
          setChosen(0);
          setEntered(false);
        }}
        onKeyDown={onKeyDown}
      />
      {sent !== "" && asked.error && <p className="state error">{asked.error.message}</p>}
      {!ready && !asked.error && (asked.waiting || asked.stale || entered) && (
        <p className="dim" style={{ padding: "4px 12px" }} role="status">
          Looking …
        </p>
      )}
      {found?.nothing && found.places.length === 0 && (
        <div className="state" role="status">
          <h2>{found.nothing.message}</h2>
          {found.nothing.policy && <p className="dim">Policy: {found.nothing.policy}</p>}
        </div>
      )}
      <ul className="palette-list" id="palette" role="listbox" ref={list} aria-label="Where to go">
        {targets.map((target, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the input has the keys.
          <li
            key={`${target.kind} ${target.id}`}
            id={`palette-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === at}
            onMouseMove={() => setChosen(index)}
            onClick={() => open(target)}
          >
            <span className="dim" style={{ width: 72 }}>
              {target.kind}
            </span>
            <span className="cut grow">{visible(target.name)}</span>
            <span className="dim cut">{visible(target.more)}</span>
          </li>
        ))}
      </ul>
    </Dialog>
  );
}
