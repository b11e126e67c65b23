/** Images in zip files: what is read, what is refused, and that nothing leaves the file or grows without bound. */
import { mkdtemp, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PolyrnnError } from "../../src/errors.js";
import {
  findPacked,
  imageInput,
  isPacked,
  LARGEST_MEMBER,
  memberPath,
  openArchive,
  readPacked,
} from "../../src/files/archive.js";
import { errorOf } from "../dataset/temporary-folder.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";
import type { ZipMember } from "../helpers/zip-file.js";
import { zipFile } from "../helpers/zip-file.js";

const FOLDER = temporaryFolder();

async function zipWith(members: readonly ZipMember[]): Promise<string> {
  return written(zipFile(members));
}

async function written(bytes: Uint8Array): Promise<string> {
  const path = join(await mkdtemp(join(FOLDER, "zip-")), "photos.zip");
  await writeFile(path, bytes);
  return path;
}

const reasonOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "nothing was thrown",
    (error: unknown) => (error as Error).message,
  );

describe("a sound zip file", async () => {
  const path = await zipWith([
    { name: "a.jpg", bytes: Buffer.from("stored"), isStored: true },
    { name: "folder/", bytes: Buffer.alloc(0), isStored: true },
    { name: "folder/b \u00e9.png", bytes: Buffer.from("deflated ".repeat(100)) },
  ]);

  test("names its files, without its folders", async () => {
    expect((await openArchive(path)).names).toEqual(["a.jpg", "folder/b \u00e9.png"]);
  });

  test("gives the bytes of a member, stored or deflated, by a path that leads through it", async () => {
    expect(String(await readPacked(join(path, "a.jpg")))).toBe("stored");
    expect(String(await imageInput(memberPath(path, "folder/b \u00e9.png")))).toBe("deflated ".repeat(100));
    expect(await isPacked(join(path, "a.jpg"))).toBe(true);
  });

  test("says which member it lacks", async () => {
    expect(await reasonOf(readPacked(join(path, "c.jpg")))).toBe('no file "c.jpg" in the zip file');
  });

  test("a path on disk stays a path, and one to nothing is an error of the file system", async () => {
    expect(await imageInput(path)).toBe(path);
    expect(await isPacked(path)).toBe(false);
    expect(await reasonOf(imageInput(join(FOLDER, "nothing.jpg")))).toContain("ENOENT");
    expect(await reasonOf(imageInput(FOLDER))).toBe("it is no regular file");
  });

  test("that was replaced is read anew, and an archive that was opened before says so", async () => {
    const replaced = await zipWith([{ name: "a.jpg", bytes: Buffer.from("before") }]);
    const before = await openArchive(replaced);
    await writeFile(replaced, zipFile([{ name: "a.jpg", bytes: Buffer.from("after, and longer") }]));
    await utimes(replaced, 1, 1);
    expect(await reasonOf(before.read("a.jpg"))).toContain("changed since it was opened");
    expect(String(await readPacked(join(replaced, "a.jpg")))).toBe("after, and longer");
  });
});

test("a zip file that is cut off during a run is one sentence, without a library's words", async () => {
  const path = await zipWith([{ name: "a.jpg", bytes: Buffer.from("x".repeat(100)), isStored: true }]);
  await openArchive(path);
  await truncate(path, 50);
  const says = "a zip file that cannot be read: it is damaged, or was changed since the run began";
  expect(await reasonOf(readPacked(join(path, "a.jpg")))).toBe(says);
  expect(await reasonOf(findPacked(join(path, "a.jpg")))).toBe(says);
});

test.each([
  { name: "../evil.jpg", why: "climbs out" },
  { name: "a/../../evil.jpg", why: "climbs out further down" },
  { name: "/etc/evil.jpg", why: "is absolute" },
  { name: "C:/evil.jpg", why: "names a drive" },
  { name: "..\\evil.jpg", why: "climbs out with a backslash" },
])("a zip file with a path that $why is refused as a whole: $name", async ({ name }) => {
  const path = await zipWith([
    { name: "a.jpg", bytes: Buffer.from("x") },
    { name, bytes: Buffer.from("x") },
  ]);
  const error = await errorOf(openArchive(path));
  expect(error.exitCode).toBe(65);
  expect(error.message).toContain(`${path}: expected a zip file whose files stay inside it, received`);
});

test("two members of one name are refused: which one a box means cannot be told", async () => {
  const twice = { name: "a.jpg", bytes: Buffer.from("x") };
  expect((await errorOf(openArchive(await zipWith([twice, twice])))).message).toContain('two files named "a.jpg"');
});

test.each<{ why: string; member: ZipMember; says: string }>([
  {
    why: "that unpacks to more than its directory says",
    member: { name: "a.jpg", bytes: Buffer.alloc(1_000_000), claimedSize: 10 },
    says: "a file that unpacks to more than the 10 bytes that the zip file says",
  },
  {
    why: "that is stored but said to be packed",
    member: { name: "a.jpg", bytes: Buffer.from("no deflated bytes"), isStored: true, claimedMethod: 8 },
    says: "a damaged file (it cannot be unpacked)",
  },
  {
    why: "that claims more than is unpacked here",
    member: { name: "a.jpg", bytes: Buffer.alloc(10), claimedSize: LARGEST_MEMBER + 1 },
    says: `more than the ${LARGEST_MEMBER} that are unpacked here`,
  },
  {
    why: "with other bytes than were packed",
    member: { name: "a.jpg", bytes: Buffer.from("x"), isStored: true, claimedCrc: 1 },
    says: "a damaged file",
  },
  { why: "that is encrypted", member: { name: "a.jpg", bytes: Buffer.from("x"), flags: 1 }, says: "an encrypted file" },
  {
    why: "packed in a way that is not known",
    member: { name: "a.jpg", bytes: Buffer.from("x"), claimedMethod: 93 },
    says: "a file packed by method 93",
  },
  {
    why: "that does not lie where the directory says",
    member: { name: "a.jpg", bytes: Buffer.from("x"), claimedOffset: 3 },
    says: "no file where the directory says",
  },
])("a member $why costs only itself", async ({ member, says }) => {
  const path = await zipWith([member, { name: "b.jpg", bytes: Buffer.from("sound") }]);
  expect(await reasonOf(readPacked(join(path, "a.jpg")))).toContain(says);
  expect(String(await readPacked(join(path, "b.jpg")))).toBe("sound");
});

test("no bytes throw anything but an expected error when a zip file is opened", async () => {
  const sound = zipFile([
    { name: "a.jpg", bytes: Buffer.from("first") },
    { name: "b/c.jpg", bytes: Buffer.from("second"), isStored: true },
  ]);
  const damage = fc.array(fc.tuple(fc.nat(sound.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(damage, fc.option(fc.nat(sound.length)), async (changes, cut) => {
      const bytes = Buffer.from(sound);
      for (const [at, value] of changes) bytes[at] = value;
      const path = await written(cut === null ? bytes : bytes.subarray(0, cut));
      const archive = await openArchive(path).catch((error: unknown) => error);
      if (archive instanceof Error) {
        expect(archive).toBeInstanceOf(PolyrnnError);
        return;
      }
      for (const name of (await openArchive(path)).names)
        expect(await reasonOf(readPacked(join(path, name)))).not.toBe("");
    }),
    { numRuns: 60 },
  );
});
