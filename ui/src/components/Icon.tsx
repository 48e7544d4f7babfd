// The few signs that stand for a word.

const PATHS: Record<string, string> = {
  weir: "M1.500 4.500h5.500v4h7.500M1.500 9h3.500v3.500h9.500",
  link: "M6.500 9.500l3-3M7 4.500l1.200-1.200a2.600 2.600 0 0 1 3.700 3.700L10.700 8.200M9 11.500l-1.200 1.200a2.600 2.600 0 0 1-3.700-3.700L5.300 7.800",
  check: "M3 8.500l3.200 3.200L13 4.800",
  sun: "M8 5.200a2.800 2.800 0 1 0 0 5.600a2.800 2.800 0 1 0 0-5.600M8 1v1.600M8 13.400V15M1 8h1.600M13.400 8H15M3 3l1.200 1.200M11.800 11.800L13 13M13 3l-1.200 1.200M4.200 11.800L3 13",
  moon: "M13.200 9.600A5.600 5.600 0 1 1 6.400 2.800a4.600 4.600 0 0 0 6.800 6.800z",
  close: "M4 4l8 8M12 4l-8 8",
  copy: "M5.500 5.500h7v7h-7zM3.500 10.500v-7h7",
};

export function Icon({ name }: { name: keyof typeof PATHS }) {
  return (
    <svg
      width="16"
      height="16"
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.4"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
