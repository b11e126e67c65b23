/** Reading a file by byte ranges, and noticing that it changed. */
import { appendFile, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { openByteFile } from "../../../src/dataset/json/byte-file.js";
import { RangeReader, readRanges } from "../../../src/dataset/json/byte-file.js";
import { errorOf, folderWith } from "../temporary-folder.js";

const folder = await folderWith({ "a.txt": "one\ntwo\nthree" });
const path = join(folder, "a.txt");

test("lines are counted up to a byte", async () => {
  const file = await openByteFile(path, "box file");
  expect(await Promise.all([0, 3, 4, 8, 99].map((offset) => file.lineOf(offset)))).toEqual([1, 1, 2, 3, 3]);
  await file.close();
});

test("ranges come back in their order, whether they are read together or apart", async () => {
  const bytes = Buffer.from(Array.from({ length: 200_000 }, (_, i) => i % 251));
  const long = join(folder, "long.bin");
  await writeFile(long, bytes);
  const file = await openByteFile(long, "box file");
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.oneof(fc.nat(100), fc.nat(40_000)), fc.integer({ min: 1, max: 30_000 })), { maxLength: 12 }),
      async (steps) => {
        let at = 0;
        const ranges = steps.flatMap(([gap, length]) => {
          const offset = at + gap;
          at = offset + length;
          return at <= bytes.length ? [{ offset, length }] : [];
        });
        const read = await readRanges(file, ranges);
        expect(read.map((part) => part.toString("latin1"))).toEqual(
          ranges.map(({ offset, length }) => bytes.subarray(offset, offset + length).toString("latin1")),
        );
      },
    ),
    { numRuns: 40 },
  );
  await file.close();
});

test("a walk gets the bytes of its groups, whether they follow one another, jump about or are larger than what is read ahead", async () => {
  const bytes = Buffer.from(Array.from({ length: 900_000 }, (_, i) => i % 251));
  const long = join(folder, "walk.bin");
  await writeFile(long, bytes);
  const file = await openByteFile(long, "box file");
  const group = fc.record({
    jump: fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.nat(bytes.length) }),
    parts: fc.array(
      fc.tuple(fc.nat(20), fc.oneof(fc.integer({ min: 1, max: 900 }), fc.integer({ min: 1, max: 300_000 }))),
      { maxLength: 4 },
    ),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(group, { maxLength: 30 }), async (groups) => {
      const reader = new RangeReader(file);
      let at = 0;
      for (const { jump, parts } of groups) {
        at = jump ?? at;
        const ranges = parts.flatMap(([gap, length]) => {
          const offset = at + gap;
          if (offset + length > bytes.length) return [];
          at = offset + length;
          return [{ offset, length }];
        });
        const read = await reader.read(ranges);
        expect(read).toHaveLength(ranges.length);
        expect(ranges.every(({ offset, length }, i) => read[i]!.equals(bytes.subarray(offset, offset + length)))).toBe(
          true,
        );
      }
    }),
    { numRuns: 60 },
  );
  await file.close();
});

test("ranges far beyond one block are read in several", async () => {
  const long = join(folder, "longer.bin");
  await writeFile(long, Buffer.alloc(3 * 2 ** 20, "abc"));
  const file = await openByteFile(long, "box file");
  const ranges = Array.from({ length: 30 }, (_, i) => ({ offset: i * 100_000, length: 99_999 }));
  expect(
    (await readRanges(file, ranges)).every(
      (part, i) => part.length === 99_999 && part.toString("latin1", 0, 1) === "abc"[(i * 100_000) % 3],
    ),
  ).toBe(true);
  await file.close();
});

test.each([
  { change: (file: string) => appendFile(file, "x"), why: "longer" },
  { change: (file: string) => utimes(file, new Date(0), new Date(0)), why: "written to" },
])("a file that was $why since is noticed", async ({ change }) => {
  const other = join(folder, "changing.txt");
  await writeFile(other, "abc");
  const file = await openByteFile(other, "box file");
  await file.checkUnchanged();
  await change(other);
  expect(await errorOf(file.checkUnchanged())).toMatchObject({ exitCode: 65 });
  await file.close();
});

test("a file that became shorter gives no partial bytes", async () => {
  const other = join(folder, "shrinking.txt");
  await writeFile(other, "abcdef");
  const file = await openByteFile(other, "box file");
  await truncate(other, 3);
  expect((await errorOf(file.slice(2, 4))).message).toContain(
    "shrinking.txt: expected the file to stay as it was when it was opened",
  );
  await file.close();
});

test.each([
  { name: "none.txt", exitCode: 66, says: "expected a box file that can be read, received no such file" },
  { name: "a.txt/x", exitCode: 66, says: "expected a box file that can be read, received ENOTDIR" },
  { name: ".", exitCode: 65, says: "expected a regular file as the box file, received a folder" },
])("$name is no file: $says", async ({ name, exitCode, says }) => {
  const error = await errorOf(openByteFile(join(folder, name), "box file"));
  expect(error).toMatchObject({ exitCode });
  expect(error.message).toContain(says);
});
