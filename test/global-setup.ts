/** The real-process tests start the built command: builds it when a source is newer than what was built. */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "..");

export default function buildWhenStale(): void {
  const built = join(ROOT, "dist", ".tsbuildinfo");
  if (existsSync(built) && newest(join(ROOT, "src")) <= statSync(built).mtimeMs) return;
  // Types are checked by `npm run lint`; here the point is to run what the sources say now.
  const tsc = join("node_modules", "typescript", "bin", "tsc");
  for (const step of [
    [tsc, "-p", "tsconfig.build.json", "--noCheck"],
    [tsc, "-p", join("src", "review", "page"), "--noCheck"],
    [join("scripts", "copy-page.mjs")],
    [join("scripts", "write-schemas.mjs")],
  ])
    execFileSync(process.execPath, step, { cwd: ROOT, stdio: "inherit" });
  // A build that finds all as it was leaves this file alone, and the next test run would build again.
  const now = new Date();
  utimesSync(built, now, now);
}

/** Time of the latest change below a folder, files and folders (a deleted file changes its folder). */
function newest(folder: string): number {
  return Math.max(
    statSync(folder).mtimeMs,
    ...readdirSync(folder, { withFileTypes: true, recursive: true }).map(
      (entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs,
    ),
  );
}
