/** The version in package.json: the one place that says it. */
import { readFileSync } from "node:fs";

export function packageVersion(): string {
  // src/cli and dist/cli are both two folders below package.json.
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { readonly version: string }).version;
}
