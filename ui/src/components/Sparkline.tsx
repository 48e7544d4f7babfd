// A course of values in the height of a row.

interface Props {
  values: readonly (number | null)[];
  /** Drawn over it in the colour of errors. */
  errors?: readonly number[];
  max?: number;
  width?: number;
  label: string;
}

const HEIGHT = 20;

export function Sparkline({ values, errors, max, width = 120, label }: Props) {
  const top = Math.max(max ?? 0, ...values.map((value) => value ?? 0)) || 1;
  const step = width / Math.max(1, values.length);
  const y = (value: number) => HEIGHT - 1 - (value / top) * (HEIGHT - 3);
  let line = "";
  let drawing = false;
  for (const [index, value] of values.entries()) {
    if (value === null) {
      drawing = false;
      continue;
    }
    line += `${drawing ? "L" : "M"}${(index * step + step / 2).toFixed(1)} ${y(value).toFixed(1)}`;
    // A value alone is a dot.
    if (!drawing && (values[index + 1] ?? null) === null) line += "h0.01";
    drawing = true;
  }
  return (
    <svg className="spark" width={width} height={HEIGHT} role="img" aria-label={label}>
      <path
        d={line}
        fill="none"
        stroke="var(--water)"
        strokeWidth="1.25"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
      {errors?.map((value, index) =>
        value > 0 ? (
          <rect
            key={index}
            x={index * step}
            y={y(value)}
            width={Math.max(1, step - 0.5)}
            height={HEIGHT - 1 - y(value) + 0.5}
            fill="var(--error)"
          />
        ) : null,
      )}
    </svg>
  );
}
