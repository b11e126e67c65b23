/**
 * Colours of categories, told apart by people with any kind of colour vision.
 * Source: Okabe and Ito, "Color Universal Design" (2008), eight colours; black is left out because outlines have a dark edge. The
 * order puts the ones that are brightest on photographs first.
 */
export const CATEGORY_COLORS = ["#56B4E9", "#E69F00", "#009E73", "#F0E442", "#CC79A7", "#D55E00", "#0072B2"] as const;

/** @param index position of the category in the data set, from 0 */
export function categoryColor(index: number): string {
  return CATEGORY_COLORS[index % CATEGORY_COLORS.length]!;
}
