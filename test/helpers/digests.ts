/** Large arrays compared by their bytes: `toEqual` looks at every number by itself, which takes seconds per million. */
import { createHash } from "node:crypto";

/** @returns the same value with every typed array replaced by its type, its length and the SHA-256 of its bytes */
export function withDigests(value: unknown): unknown {
  if (ArrayBuffer.isView(value)) {
    const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    return `${value.constructor.name} of ${bytes.length} bytes, ${createHash("sha256").update(bytes).digest("hex")}`;
  }
  if (Array.isArray(value)) return value.map(withDigests);
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [key, withDigests(item)]));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withDigests(item)]));
}
