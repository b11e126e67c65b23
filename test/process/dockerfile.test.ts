/**
 * The steps of the Dockerfile, run in an empty folder in place of a Docker engine: COPY from the checkout through
 * .dockerignore's list, RUN in its WORKDIR, and the ENTRYPOINT on the bundled sample. With POLYRNN_INSTALL_TEST=1,
 * because npm ci takes a minute and needs the registry; what can be read off the file is always checked.
 */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const ROOT = join(import.meta.dirname, "..", "..");
const MINUTES = 60_000;
const steps = readFileSync(join(ROOT, "Dockerfile"), "utf8")
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("#"))
  .map((line) => {
    const at = line.indexOf(" ");
    return { word: line.slice(0, at), rest: line.slice(at + 1) };
  });
const restOf = (word: string): string[] => steps.filter((step) => step.word === word).map(({ rest }) => rest);
const allowed: readonly string[] = readFileSync(join(ROOT, ".dockerignore"), "utf8").match(/(?<=^!).+/gm) ?? [];

test("what the Dockerfile copies is there and not ignored, and the image does not run as root", () => {
  const copied = restOf("COPY")
    .filter((rest) => !rest.startsWith("--from"))
    .flatMap((rest) => rest.split(" ").slice(0, -1));
  expect(copied.filter((path) => !allowed.includes(path) || !existsSync(join(ROOT, path)))).toEqual([]);
  expect(restOf("USER")).toEqual(["node"]);
  expect(restOf("FROM").every((image) => /^node:\d+-bookworm-slim\b/.test(image))).toBe(true);
});

interface Stage {
  readonly root: string;
  folder: string;
}

/** @returns the last stage */
function runSteps(): Stage {
  const home = temporaryFolder();
  const stages: (Stage & { readonly name: string })[] = [];
  for (const { word, rest } of steps) {
    const stage = stages.at(-1);
    if (word === "FROM") {
      const root = join(home, String(stages.length));
      stages.push({ name: rest.split(" AS ")[1] ?? "", root, folder: root });
      continue;
    }
    if (stage === undefined) throw new Error(`expected FROM first, received ${word}`);
    if (word === "WORKDIR") {
      stage.folder = join(stage.root, rest);
      mkdirSync(stage.folder, { recursive: true });
    } else if (word === "COPY") {
      const words = rest.split(" ");
      const from = /^--from=(.+)$/.exec(words[0]!)?.[1];
      const source = from === undefined ? ROOT : stages.find(({ name }) => name === from)!.root;
      const paths = words.slice(from === undefined ? 0 : 1, -1);
      for (const path of paths) {
        const target = words.at(-1) === "./" ? join(stage.folder, path) : join(stage.folder, words.at(-1)!);
        cpSync(join(source, path), target, { recursive: true, verbatimSymlinks: true });
      }
    } else if (word === "RUN") {
      const ended = spawnSync("sh", ["-c", rest], { cwd: stage.folder, encoding: "utf8" });
      expect(ended.status, `${rest}\n${ended.stdout}\n${ended.stderr}`).toBe(0);
    }
  }
  return stages.at(-1)!;
}

test.runIf(process.env["POLYRNN_INSTALL_TEST"] === "1")(
  "the steps of the Dockerfile, in an empty folder, give a program that draws the bundled sample",
  () => {
    const image = runSteps();
    const [command, ...words] = JSON.parse(restOf("ENTRYPOINT")[0]!) as [string, string];
    const program = words.map((word) => join(image.root, word));
    const fixtures = join(ROOT, "fixtures");
    const args = ["annotate", join(fixtures, "images"), "--boxes", join(fixtures, "boxes.json"), "--json", "--quiet"];
    const ended = spawnSync(command, [...program, ...args], { cwd: image.folder, encoding: "utf8" });
    expect(ended.status, ended.stderr).toBe(0);
    expect(JSON.parse(ended.stdout)).toMatchObject({ failed: 0, device: "cpu", model: "mobile" });
  },
  10 * MINUTES,
);
