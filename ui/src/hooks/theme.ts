// Dark or light: as the system says, or as the reader chose.

import { useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { useCallback } from "react";

export function useTheme() {
  const { setColorScheme } = useMantineColorScheme();
  const dark = useComputedColorScheme("light") === "dark";
  const toggle = useCallback(() => setColorScheme(dark ? "light" : "dark"), [dark, setColorScheme]);
  return { dark, toggle };
}
