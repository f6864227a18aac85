const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const PERCENT = new Intl.NumberFormat("en", {
  style: "percent",
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});
const COMPACT = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
const UNITS = ["B", "kB", "MB", "GB", "TB"] as const;

/** Shown where a figure is not known. */
export const NONE = "–";

export function formatCount(value: number): string {
  return WHOLE.format(value);
}

export function formatCompact(value: number): string {
  return COMPACT.format(value);
}

/** A share in 0…1 as per cent. */
export function formatShare(value: number | null | undefined): string {
  return value === null || value === undefined ? NONE : PERCENT.format(value);
}

/** A loss: three decimals, more when it is small. */
export function formatLoss(value: number | null | undefined): string {
  if (value === null || value === undefined) return NONE;
  return Math.abs(value) >= 0.01 || value === 0 ? value.toFixed(3) : value.toPrecision(2);
}

/** Decimal units, three significant digits: 136 744 is `137 kB`. */
export function formatBytes(value: number): string {
  let unit = 0;
  let scaled = value;
  while (scaled >= 999.5 && unit < UNITS.length - 1) {
    scaled /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || scaled >= 99.95 ? 0 : scaled >= 9.995 ? 1 : 2;
  return `${scaled.toFixed(digits)} ${UNITS[unit]}`;
}

/** Difference of two shares in percentage points, signed: `+0.4`. */
export function formatPoints(difference: number): string {
  const points = (difference * 100).toFixed(1);
  return Number(points) > 0 ? `+${points}` : Number(points) === 0 ? "±0.0" : points.replace("-", "−");
}

/** Signed difference of two losses: `−0.021`. */
export function formatLossChange(difference: number): string {
  const text = difference.toFixed(3);
  return Number(text) > 0 ? `+${text}` : Number(text) === 0 ? "±0.000" : text.replace("-", "−");
}
