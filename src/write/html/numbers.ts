/** How numbers are written in pages for people. A mean over nothing is a dash, never 0. */

export const NOTHING = "–";

/** 0.7184 -> "0.718" */
export function ratio(value: number | null | undefined): string {
  return value === null || value === undefined ? NOTHING : value.toFixed(3);
}

/** 12.345 -> "12.3" */
export function oneDecimal(value: number | null | undefined): string {
  return value === null || value === undefined ? NOTHING : value.toFixed(1);
}

export function whole(value: number): string {
  return value.toLocaleString("en-US");
}

/** "0.701–0.734"; empty where there is no interval. */
export function rangeOf(
  { low, high }: { readonly low: number | null; readonly high: number | null },
  format: (value: number | null) => string = ratio,
): string {
  return low === null || high === null ? "" : `${format(low)}–${format(high)}`;
}
