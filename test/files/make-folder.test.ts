import { readFileSync, readdirSync } from "node:fs";
import { mkdir, stat, symlink, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { expect, test } from "vitest";
import { PolyrnnError } from "../../src/errors.js";
import { makeFolder } from "../../src/files/atomic-file.js";
import { useFolder } from "../write/results.js";

const home = useFolder();
const isFolder = async (path: string): Promise<boolean> => (await stat(path)).isDirectory();

async function refusalOf(path: string): Promise<PolyrnnError> {
  const thrown: unknown = await makeFolder(path).then(
    () => new Error("it was made"),
    (error: unknown) => error,
  );
  if (thrown instanceof PolyrnnError) return thrown;
  throw thrown;
}

test("a folder is made with all folders on the way to it, also from a relative path, and may be there already", async () => {
  const deep = join(home.path, "a", "b", "c");
  await makeFolder(deep);
  expect(await isFolder(deep)).toBe(true);
  await makeFolder(deep);
  const beside = join(home.path, "a", "x", "..", "d");
  await makeFolder(relative(process.cwd(), beside));
  expect(await isFolder(join(home.path, "a", "d"))).toBe(true);
});

test("several that make the same folder at once do not get in each other's way", async () => {
  const deep = join(home.path, "a", "b", "c", "d");
  await Promise.all(Array.from({ length: 20 }, () => makeFolder(deep)));
  expect(await isFolder(deep)).toBe(true);
});

test("a link to a folder is one", async () => {
  await mkdir(join(home.path, "real"));
  await symlink(join(home.path, "real"), join(home.path, "link"));
  await makeFolder(join(home.path, "link", "new"));
  expect(await isFolder(join(home.path, "real", "new"))).toBe(true);
});

test.each([
  {
    why: "a file of that name",
    make: (path: string) => writeFile(join(path, "a"), ""),
    name: "a",
    says: "a file is where a folder has to be (EEXIST)",
  },
  {
    why: "a file on the way",
    make: (path: string) => writeFile(join(path, "a"), ""),
    name: "a/b/c",
    at: "a",
    says: "a file is where a folder has to be (EEXIST)",
  },
  {
    why: "a link to nothing",
    make: (path: string) => symlink(join(path, "gone"), join(path, "a")),
    name: "a",
    says: "a file is where a folder has to be (EEXIST)",
  },
  {
    why: "a name no disk takes",
    make: () => Promise.resolve(),
    name: "x".repeat(300),
    says: "the name is too long for this disk (ENAMETOOLONG)",
  },
])("$why is a sentence with the path", async ({ make, name, says, at = name }) => {
  await make(home.path);
  const refusal = await refusalOf(join(home.path, name));
  expect(refusal).toMatchObject({ exitCode: 73 });
  expect(refusal.message).toBe(`${join(home.path, at)}: expected to write here, but ${says}`);
  expect(refusal.hint).toContain("--out");
});

const hasProc = process.platform === "linux";
if (!hasProc) console.log("Skipped: a place that takes no new folders (/proc is not here)");
test.skipIf(!hasProc)("a place that takes no new folders is refused at once", async () => {
  const refusal = await refusalOf("/proc/polyrnn/out");
  expect(refusal).toMatchObject({ exitCode: 73, hint: "Choose another folder with --out." });
  expect(refusal.message).toContain("/proc/polyrnn: expected to make a folder here, but /proc takes none (ENOENT)");
});

test("every folder of the program's output is made here: nothing else in src calls mkdir, whose recursive form can run for ever", () => {
  const src = join(import.meta.dirname, "..", "..", "src");
  const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  expect(files.filter((name) => /\bmkdir(Sync)?\(/.test(readFileSync(join(src, name), "utf8")))).toEqual([
    join("files", "atomic-file.ts"),
  ]);
});
