// `?`: the keys that work on the page at hand.

import { useShortcutList } from "../hooks/keys";
import { Dialog } from "./Dialog";

const NAMES: Record<string, string> = {
  ArrowUp: "↑",
  ArrowDown: "↓",
  ArrowLeft: "←",
  ArrowRight: "→",
  Escape: "Esc",
};

/** `ctrl+k` is held together, `g s` follows one another, `+` is itself. */
function partsOf(keys: string): string[] {
  if (keys.startsWith("ctrl+")) return ["Ctrl", keys.slice(5).toUpperCase()];
  return keys.split(" ").map((part) => NAMES[part] ?? part);
}

export function Keys({ keys }: { keys: string }) {
  return (
    <>
      {partsOf(keys).map((part, index) => (
        <kbd key={`${part} ${index}`} style={{ marginRight: 2 }}>
          {part}
        </kbd>
      ))}
    </>
  );
}

export function KeysHelp({ close }: { close: () => void }) {
  const shortcuts = useShortcutList();
  const byAbout = new Map<string, string[]>();
  for (const { keys, about } of shortcuts) {
    const list = byAbout.get(about) ?? [];
    if (!list.includes(keys)) byAbout.set(about, [...list, keys]);
  }
  byAbout.delete("Close");
  return (
    <Dialog label="Keys" close={close}>
      <div style={{ padding: 16 }}>
        <h1>Keys</h1>
        <table className="table">
          <tbody>
            {[...byAbout].map(([about, list]) => (
              <tr key={about}>
                <td style={{ width: 140 }}>
                  {list.map((keys, index) => (
                    <span key={keys}>
                      {index > 0 && <span className="dim"> or </span>}
                      <Keys keys={keys} />
                    </span>
                  ))}
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
