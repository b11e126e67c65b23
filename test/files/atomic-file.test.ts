import { spawnSync } from "node:child_process";
import { mkdir, readFile, readdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PolyrnnError } from "../../src/errors.js";
import { AtomicFile, writeAtomic } from "../../src/files/atomic-file.js";
import { useFolder } from "../write/results.js";

const folder = useFolder();

describe("a file written at once", () => {
  test("is there with its content, and nothing else is; folders on the way are made", async () => {
    await writeAtomic(join(folder.path, "a/b/c.txt"), "naïve\n");
    expect(await readFile(join(folder.path, "a/b/c.txt"), "utf8")).toBe("naïve\n");
    expect(await readdir(join(folder.path, "a/b"))).toEqual(["c.txt"]);
  });

  test("may hold bytes, and may be empty", async () => {
    await writeAtomic(join(folder.path, "bytes"), Uint8Array.of(0, 255, 10));
    await writeAtomic(join(folder.path, "empty"), "");
    expect([...(await readFile(join(folder.path, "bytes")))]).toEqual([0, 255, 10]);
    expect(await readFile(join(folder.path, "empty"), "utf8")).toBe("");
  });

  test.each([
    { why: "a part of the path is a file", path: "file/x.json", code: "ENOTDIR|EEXIST" },
    { why: "a folder has the name", path: "folder", code: "EISDIR" },
    { why: "the name is too long", path: "n".repeat(300), code: "ENAMETOOLONG" },
    { why: "links lead in a circle", path: "loop/x.json", code: "ELOOP|EEXIST|ENOENT" },
  ])("$why: the error names the path and leaves nothing behind", async ({ path, code }) => {
    await writeFile(join(folder.path, "file"), "");
    await mkdir(join(folder.path, "folder"));
    await symlink(join(folder.path, "loop"), join(folder.path, "loop"));
    const error = await writeAtomic(join(folder.path, path), "new").catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(PolyrnnError);
    expect((error as PolyrnnError).code).toBe("E_WRITE");
    expect((error as PolyrnnError).message).toContain(join(folder.path, path));
    expect((error as PolyrnnError).message).toMatch(new RegExp(code, "u"));
    expect((await readdir(folder.path)).sort()).toEqual(["file", "folder", "loop"]);
  });

  test("a link that waits under the temporary name is not written through", async () => {
    await writeFile(join(folder.path, "precious"), "keep");
    await symlink(join(folder.path, "precious"), join(folder.path, "a.json.partial"));
    await writeAtomic(join(folder.path, "a.json"), "new");
    expect(await readFile(join(folder.path, "precious"), "utf8")).toBe("keep");
    expect(await readFile(join(folder.path, "a.json"), "utf8")).toBe("new");
  });

  test("is not taken from another writer that has begun it as well: one of the two is refused, and neither half is kept", async () => {
    const path = join(folder.path, "a.json");
    const first = await AtomicFile.open(path);
    await first.write("first");
    const second = await AtomicFile.open(path);
    await second.write("half of");
    await expect(first.commit()).rejects.toThrow(/a\.json: expected to be the only one to write this file/u);
    await first.abort();
    await second.write(" the second");
    await second.commit();
    expect(await readFile(path, "utf8")).toBe("half of the second");
    expect(await readdir(folder.path)).toEqual(["a.json"]);
  });

  test("a full disk leaves the older file as it was", async (context) => {
    const path = join(folder.path, "a.json");
    await writeAtomic(path, "old");
    // A limit on this process's file size stands in for the full disk: the first write is cut short, the next one
    // refused.
    if (!limitFileSize("8192")) context.skip("prlimit (util-linux) is not on this machine");
    try {
      await expect(writeAtomic(path, "x".repeat(50_000))).rejects.toThrow(/a\.json.*EFBIG/u);
    } finally {
      limitFileSize("unlimited");
    }
    expect(await readFile(path, "utf8")).toBe("old");
    expect(await readdir(folder.path)).toEqual(["a.json"]);
  });
});

function limitFileSize(bytes: string): boolean {
  return spawnSync("prlimit", ["--pid", String(process.pid), `--fsize=${bytes}:unlimited`]).status === 0;
}

describe("a file written as a stream", () => {
  test("is not visible before it is committed, and whole afterwards", async () => {
    const path = join(folder.path, "long.txt");
    await writeFile(path, "old");
    const file = await AtomicFile.open(path);
    for (let line = 0; line < 20_000; line++) await file.write(`line ${line}\n`);
    expect(await readFile(path, "utf8")).toBe("old");
    await file.commit();
    const lines = (await readFile(path, "utf8")).split("\n");
    expect(lines).toHaveLength(20_001);
    expect(lines[19_999]).toBe("line 19999");
    expect(await readdir(folder.path)).toEqual(["long.txt"]);
  });

  test("text of any length and alphabet comes out as it went in, wherever a piece ends", async () => {
    const path = join(folder.path, "long.txt");
    const character = fc.constantFrom("a", "ü", "漢", "😀", "\u{10ffff}", "\ud800");
    const pieces = fc.array(fc.tuple(character, fc.oneof(fc.nat(3), fc.integer({ min: 16_000, max: 70_000 }))), {
      maxLength: 6,
    });
    await fc.assert(
      fc.asyncProperty(pieces, async (parts) => {
        const texts = parts.map(([one, times]) => one.repeat(times));
        const file = await AtomicFile.open(path);
        for (const text of texts) await file.write(text);
        await file.commit();
        // Half a surrogate pair cannot be encoded: U+FFFD takes its place, as everywhere in Node.
        expect((await readFile(path)).equals(Buffer.from(texts.join("")))).toBe(true);
      }),
      { numRuns: 25 },
    );
  });

  test("can take over what another one holds, in the right place", async () => {
    const main = await AtomicFile.open(join(folder.path, "main"));
    const side = await AtomicFile.open(join(folder.path, "side"));
    await main.write("[");
    await side.write("b".repeat(100_000));
    await side.write("c");
    await main.writeContentOf(side);
    await main.write("]");
    await main.commit();
    await side.abort();
    expect(await readFile(join(folder.path, "main"), "utf8")).toBe(`[${"b".repeat(100_000)}c]`);
    expect(await readdir(folder.path)).toEqual(["main"]);
  });

  test("abort removes it, also twice, and does nothing after a commit", async () => {
    const dropped = await AtomicFile.open(join(folder.path, "dropped"));
    await dropped.write("half");
    await dropped.abort();
    await dropped.abort();
    const kept = await AtomicFile.open(join(folder.path, "kept"));
    await kept.commit();
    await kept.abort();
    expect(await readdir(folder.path)).toEqual(["kept"]);
  });

  test("a leftover of a killed run is replaced", async () => {
    await writeFile(join(folder.path, "a.partial"), "half of an older run");
    const file = await AtomicFile.open(join(folder.path, "a"));
    await file.write("new");
    await file.commit();
    expect(await readFile(join(folder.path, "a"), "utf8")).toBe("new");
    expect(await readdir(folder.path)).toEqual(["a"]);
  });

  test("writing after the end is a bug and says so", async () => {
    const file = await AtomicFile.open(join(folder.path, "a"));
    await file.commit();
    await expect(file.writeBytes(Uint8Array.of(1))).rejects.toThrow(/after commit or abort/u);
  });

  test("abort names the file when even removing fails", async () => {
    const file = await AtomicFile.open(join(folder.path, "in/a"));
    await file.writeBytes(Uint8Array.of(1));
    const { rm } = await import("node:fs/promises");
    await rm(join(folder.path, "in"), { recursive: true });
    await writeFile(join(folder.path, "in"), "");
    await expect(file.abort()).rejects.toThrow(join(folder.path, "in/a"));
  });
});
