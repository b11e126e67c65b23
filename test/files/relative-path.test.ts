import { existsSync } from "node:fs";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { relativePath } from "../../src/files/atomic-file.js";
import { useFolder } from "../write/results.js";

const folder = useFolder();

test.each([
  { why: "a plain folder", out: "out/labels" },
  { why: "a folder reached over a link", out: "link/labels" },
])("from $why the path leads to the file", async ({ out }) => {
  await mkdir(join(folder.path, "deep/down/real"), { recursive: true });
  await symlink(join(folder.path, "deep/down/real"), join(folder.path, "link"));
  await writeFile(join(folder.path, "photo.jpg"), "");
  const path = await relativePath(join(folder.path, out), join(folder.path, "photo.jpg"));
  expect(path).toMatch(/^\.\.\/.*photo\.jpg$/u);
  expect(existsSync(`${join(folder.path, out)}/${path}`)).toBe(true);
});

test("a file that is not there is named as it would be", async () => {
  expect(await relativePath(join(folder.path, "out"), join(folder.path, "gone.jpg"))).toBe("../gone.jpg");
});

test("a folder that cannot be made is an error that names what is in its way", async () => {
  await writeFile(join(folder.path, "file"), "");
  await expect(relativePath(join(folder.path, "file/out"), "x")).rejects.toThrow(
    /file: .*a file is where a folder has to be \(EEXIST\)/u,
  );
});
