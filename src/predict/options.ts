/** Limits of the decode loop that option tables, reports and tests need without the loop itself. */

/** Decoder steps per polygon at most, end-of-sequence included, as in the authors' released code. */
export const MAX_STEPS = 71;

/** Polygons per crop at most, unless a user asks for another number. */
export const DEFAULT_CANDIDATES = 4;
/** The largest number one may ask for. */
export const MAX_CANDIDATES = 10;
