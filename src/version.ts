/** The version in package.json, the only place that holds it. */
import { readFileSync } from "node:fs";

export function packageVersion(): string {
  // src and dist both lie beside package.json.
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { readonly version: string }).version;
}
