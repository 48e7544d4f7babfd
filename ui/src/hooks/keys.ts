// Shortcuts: each says what it does, so that `?` can list those of the page at hand.

import { useLayoutEffect, useRef, useSyncExternalStore } from "react";

export interface Shortcut {
  /** As `KeyboardEvent.key`, with `ctrl+` before it where Ctrl or ⌘ is held; `g s` is one key after the other. */
  keys: string;
  about: string;
  run: (event: KeyboardEvent) => void;
  /** Also while one writes. */
  always?: boolean;
}

/** How long the second key of two may take. */
const SECOND_KEY_MS = 1000;

const layers: { current: readonly Shortcut[] }[] = [];
let listed: readonly Shortcut[] = [];
const listeners = new Set<() => void>();
let first = { key: "", at: 0 };

function changed() {
  listed = layers.flatMap((layer) => layer.current);
  for (const listener of listeners) listener();
}

/** Editors keep their keys. */
function isWriting(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName);
}

/** What is pressed by Enter or the space bar keeps these two. */
function isPressed(event: KeyboardEvent): boolean {
  if (event.key !== "Enter" && event.key !== " ") return false;
  return event.target instanceof Element && event.target.closest("button, a, summary, [role=option]") !== null;
}

/** A dialog over the page keeps the page's keys from it. */
function isCovered(): boolean {
  return document.querySelector("[role=dialog][aria-modal=true]") !== null;
}

function onKey(event: KeyboardEvent) {
  if (event.defaultPrevented || event.altKey || event.isComposing || isPressed(event)) return;
  const name = `${event.ctrlKey || event.metaKey ? "ctrl+" : ""}${event.key.length === 1 && (event.ctrlKey || event.metaKey) ? event.key.toLowerCase() : event.key}`;
  const both = event.timeStamp - first.at < SECOND_KEY_MS ? `${first.key} ${name}` : "";
  const writing = isWriting(event.target);
  const covered = isCovered();
  for (const layer of [...layers].reverse()) {
    for (const shortcut of layer.current) {
      if (shortcut.keys !== name && shortcut.keys !== both) continue;
      if ((writing || covered) && !shortcut.always) continue;
      event.preventDefault();
      first = { key: "", at: 0 };
      shortcut.run(event);
      return;
    }
  }
  first = { key: writing ? "" : name, at: event.timeStamp };
}

/** Offers shortcuts while the component is there; the newest come first. */
export function useShortcuts(shortcuts: readonly Shortcut[]) {
  const layer = useRef(shortcuts);
  // What they do may change with each rendering; what they are called does not.
  layer.current = shortcuts;
  // Before it is painted: who sees the page may use its keys.
  useLayoutEffect(() => {
    if (layers.length === 0) window.addEventListener("keydown", onKey);
    layers.push(layer);
    changed();
    return () => {
      layers.splice(layers.indexOf(layer), 1);
      if (layers.length === 0) window.removeEventListener("keydown", onKey);
      changed();
    };
  }, []);
}

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

/** Every shortcut that works now. */
export function useShortcutList(): readonly Shortcut[] {
  return useSyncExternalStore(subscribe, () => listed);
}
