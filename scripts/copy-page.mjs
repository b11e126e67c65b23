/** The parts of the review page that tsc does not write: its document and its style. */
import { cpSync } from "node:fs";
import { fileURLToPath } from "node:url";

for (const name of ["index.html", "page.css"]) {
  const from = new URL(`../src/review/page/${name}`, import.meta.url);
  cpSync(fileURLToPath(from), fileURLToPath(new URL(`../dist/review/page/${name}`, import.meta.url)));
}
