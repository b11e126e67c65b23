/** The JSON schemas of the package, from what was built: dist/schemas/NAME.json. */
import { mkdirSync, writeFileSync } from "node:fs";
import { publishedSchema, SCHEMAS } from "../dist/library/schemas.js";

const folder = new URL("../dist/schemas/", import.meta.url);
mkdirSync(folder, { recursive: true });
for (const name of Object.keys(SCHEMAS)) writeFileSync(new URL(`${name}.json`, folder), publishedSchema(name));
