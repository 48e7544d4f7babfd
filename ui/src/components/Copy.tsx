// Copies a text.

import { useState } from "react";
import { Icon } from "./Icon";

export function Copy({ text, label }: { text: string; label: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(true);
      setTimeout(() => setCopied(false), 1500);
    } catch {
      // Without a clipboard the text stands beside the button, to be marked.
    }
  };
  return (
    <button
      type="button"
      className="button quiet"
      style={{ height: 18, padding: "0 2px", verticalAlign: "middle" }}
      onClick={copy}
      title={label}
      aria-label={label}
    >
      <Icon name={copied ? "check" : "copy"} />
    </button>
  );
}
