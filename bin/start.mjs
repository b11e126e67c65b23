// Starts the built command line; everything else is in src/cli.
import { existsSync } from "node:fs";
import process from "node:process";
import { URL } from "node:url";

const built = new URL("../dist/cli/main.js", import.meta.url);
if (existsSync(built)) {
  const { main } = await import(built.href);
  await main();
} else {
  process.stderr.write(
    'polyrnn: dist/cli/main.js is missing: the TypeScript sources were not compiled.\nRun "npm run build" in the project\'s folder.\n',
  );
  process.exitCode = 69;
}
