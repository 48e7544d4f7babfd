// `?`: the keys that work on the page at hand.

import { useShortcutList } from "../hooks/keys";
import { Dialog } from "./Dialog";

const NAMES: Record<string, string> = {
  ctrl: "Ctrl",
  ArrowUp: "↑",
  ArrowDown: "↓",
  ArrowLeft: "←",
  ArrowRight: "→",
  Escape: "Esc",
};

export function Keys({ keys }: { keys: string }) {
  const parts = keys
    .split(/[ +]/)
    .map((part) => NAMES[part] ?? (part.length === 1 && keys.startsWith("ctrl") ? part.toUpperCase() : part));
  return (
    <>
      {parts.map((part) => (
        <kbd key={part} style={{ marginRight: 2 }}>
          {part}
        </kbd>
      ))}
    </>
  );
}

export function KeysHelp({ close }: { close: () => void }) {
  const shortcuts = useShortcutList();
  const seen = new Set<string>();
  const rows = shortcuts.filter(
    ({ about, keys }) => keys !== "Escape" && !seen.has(about + keys) && seen.add(about + keys),
  );
  return (
    <Dialog label="Keys" close={close}>
      <div style={{ padding: 16 }}>
        <h1>Keys</h1>
        <table className="table">
          <tbody>
            {rows.map(({ keys, about }) => (
              <tr key={keys + about}>
                <td style={{ width: 120 }}>
                  <Keys keys={keys} />
                </td>
                <td>{about}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Dialog>
  );
}
