// How well a name fits what somebody types: all letters in order, the closer together the better.

/** Higher is better; -1 when it does not fit. */
export function fitness(name: string, typed: string): number {
  const lower = name.toLowerCase();
  const wanted = typed.toLowerCase().trim();
  if (wanted === "") return 0;
  const whole = lower.indexOf(wanted);
  if (whole >= 0) return 1000 - whole - name.length / 100;
  let at = -1;
  let gaps = 0;
  for (const letter of wanted) {
    const next = lower.indexOf(letter, at + 1);
    if (next < 0) return -1;
    if (at >= 0) gaps += next - at - 1;
    at = next;
  }
  return 500 - gaps;
}
