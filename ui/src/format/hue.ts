// A service's colour: one of 20 hues of equal lightness, stable by name, none near red or amber.

export const HUES = 20;
/** From green over blue to magenta: red and amber mean error and warning. */
const FIRST = 130;
const LAST = 342;

/** FNV-1a, so that the same name has the same colour everywhere. */
export function hueIndex(name: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < name.length; index += 1) {
    hash ^= name.charCodeAt(index);
    hash = Math.imul(hash, 0x01000193);
  }
  // The low bits of FNV alone spread badly over short names.
  return ((hash ^ (hash >>> 15)) >>> 0) % HUES;
}

export function hueDegrees(index: number): number {
  return FIRST + ((LAST - FIRST) * index) / (HUES - 1);
}

/** For a list of services that are seen together: each its own hue, moved only where two would be taken for one. */
export function hueIndices(names: readonly string[]): number[] {
  const taken = new Set<number>();
  return names.map((name) => {
    const wanted = hueIndex(name);
    // Two apart as long as there is room for it.
    const apart = names.length <= HUES / 2 ? 1 : 0;
    for (let step = 0; step < HUES; step += 1) {
      for (const sign of step === 0 ? [1] : [1, -1]) {
        const index = (wanted + sign * step + HUES) % HUES;
        const near = [...Array(2 * apart + 1).keys()].some((offset) => taken.has(index + offset - apart));
        if (!near) {
          taken.add(index);
          return index;
        }
      }
    }
    return wanted;
  });
}

/** The colour as CSS; the lightness is the theme's. */
export function hueColor(index: number, dark: boolean): string {
  return `oklch(${dark ? 0.72 : 0.62} 0.105 ${hueDegrees(index).toFixed(0)})`;
}
