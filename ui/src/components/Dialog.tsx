// A box over the page that keeps the keyboard until it is closed.

import { FocusTrap, Portal } from "@mantine/core";
import type { ReactNode } from "react";
import { useShortcuts } from "../hooks/keys";

interface Props {
  label: string;
  close: () => void;
  children: ReactNode;
}

export function Dialog({ label, close, children }: Props) {
  useShortcuts([{ keys: "Escape", about: "Close", run: close, always: true }]);
  return (
    <Portal>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: Escape does the same for the keyboard. */}
      <div className="veil" onMouseDown={(event) => event.target === event.currentTarget && close()}>
        <FocusTrap>
          <div className="dialog" role="dialog" aria-modal="true" aria-label={label} tabIndex={-1}>
            {children}
          </div>
        </FocusTrap>
      </div>
    </Portal>
  );
}
