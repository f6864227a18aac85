/** Bytes for a person: `1.2 MB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const units = ["kB", "MB", "GB", "TB"];
  let value = bytes / 1000;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

export function formatPercent(fraction: number | null): string {
  return fraction === null ? "-" : `${(fraction * 100).toFixed(1)} %`;
}

export function formatNumber(value: number | null, digits: number): string {
  return value === null ? "-" : value.toFixed(digits);
}
