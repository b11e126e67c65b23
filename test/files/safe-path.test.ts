import { posix, win32 } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { SafePath } from "../../src/files/safe-path.js";
import { PathNames, toSafePath } from "../../src/files/safe-path.js";

const join = ({ folders, stem, extension }: SafePath): string => [...folders, stem + extension].join("/");

describe("one name", () => {
  test.each([
    { name: "street.jpg", path: "street.jpg", why: "a harmless name stays" },
    { name: "berlin/day 1/a.b.c.PNG", path: "berlin/day 1/a.b.c.PNG", why: "folders, spaces and dots stay" },
    { name: "街/猫 é.jpg", path: "街/猫 é.jpg", why: "other scripts stay" },
    { name: "../../etc/passwd", path: "etc/passwd", why: "it cannot climb" },
    { name: "/etc/passwd", path: "etc/passwd", why: "it cannot start at the root" },
    { name: "..\\..\\windows\\a.jpg", path: "windows/a.jpg", why: "nor with the other slash" },
    { name: "C:\\photos\\a.jpg", path: "C_/photos/a.jpg", why: "a drive becomes a folder" },
    { name: "\\\\server\\share\\a.jpg", path: "server/share/a.jpg", why: "a network path becomes folders" },
    { name: "a/./b//c.jpg", path: "a/b/c.jpg", why: "parts that mean nothing go" },
    { name: "a\u0000b\n.jpg", path: "a_b_.jpg", why: "NUL and line breaks go" },
    { name: "a\u202egnp.jpg", path: "a_gnp.jpg", why: "marks that turn text go" },
    { name: "a\ud800.jpg", path: "a_.jpg", why: "half a surrogate pair goes" },
    { name: 'what?*<>|".jpg', path: "what______.jpg", why: "what Windows forbids goes" },
    { name: "aux.jpg", path: "_aux.jpg", why: "Windows' device names are no names" },
    { name: "COM1/nul .tar.gz", path: "_COM1/_nul .tar.gz", why: "as folders and with endings as well" },
    { name: "con", path: "_con", why: "and bare" },
    { name: "auxiliary.jpg", path: "auxiliary.jpg", why: "a longer word is harmless" },
    { name: "a. /b.jpg", path: "a_/b.jpg", why: "Windows drops dots and spaces at a folder's end" },
    { name: ".. ", path: "_", why: "and would make a climb of this" },
    { name: "a. .jpg", path: "a. .jpg", why: "but not in the middle" },
    { name: "a.jpg.", path: "a.jpg_", why: "an ending of nothing is none" },
    { name: "", path: "image", why: "nothing gets a name" },
    { name: "../..", path: "image", why: "nothing but climbing gets a name" },
    { name: ".jpg", path: ".jpg", why: "a name that begins with a dot has no ending" },
    { name: `a.${"x".repeat(40)}`, path: `a.${"x".repeat(40)}`, why: "an endless ending is part of the name" },
  ])("$why: $name", ({ name, path }) => {
    expect(join(toSafePath(name))).toBe(path);
  });

  test("too long a name is cut, and names that differ behind the cut stay apart", () => {
    const cut = (name: string): string => toSafePath(name).stem;
    expect(Buffer.byteLength(cut("猫".repeat(300)))).toBeLessThanOrEqual(200);
    expect(cut(`${"a".repeat(300)}1.jpg`)).not.toBe(cut(`${"a".repeat(300)}2.jpg`));
  });

  test("too deep a path becomes one folder of its own", () => {
    const deep = (last: string): readonly string[] => toSafePath(`${"folder/".repeat(200)}${last}/a.jpg`).folders;
    expect(deep("x")).toHaveLength(1);
    expect(deep("x")).not.toEqual(deep("y"));
  });

  test("any name gives a path that stays inside, with parts every disk takes", () => {
    fc.assert(
      fc.property(hostileName, (name) => {
        const safe = toSafePath(name);
        for (const rules of [posix, win32]) {
          const root = rules === posix ? "/out" : "C:\\out";
          expect(rules.resolve(root, join(safe)).startsWith(root + rules.sep)).toBe(true);
        }
        for (const part of join(safe).split("/")) {
          expect(part).not.toMatch(/^\.{0,2}$/u);
          expect(Buffer.byteLength(part)).toBeLessThanOrEqual(216);
          // eslint-disable-next-line no-control-regex -- control characters are what is searched for
          expect(part).not.toMatch(/[\\:*?"<>|\u0000-\u001f]/u);
          expect(Buffer.from(part).toString()).toBe(part);
        }
      }),
    );
  });

  test("a safe path is safe: doing it again changes nothing", () => {
    fc.assert(
      fc.property(hostileName, (name) => {
        const once = join(toSafePath(name));
        expect(join(toSafePath(once))).toBe(once);
      }),
    );
  });
});

describe("many names", () => {
  test.each([
    { names: ["a.jpg", "a.png"], paths: ["a.json", "a-2.json"], why: "endings do not keep names apart" },
    {
      names: ["a.jpg", "A.jpg"],
      paths: ["a.json", "A-2.json"],
      why: "upper and lower case are the same on some disks",
    },
    {
      names: ["\u00e9.jpg", "e\u0301.jpg"],
      paths: ["\u00e9.json", "e\u0301-2.json"],
      why: "so are two spellings of an accent",
    },
    {
      names: ["a.jpg", "a-2.jpg", "a.png"],
      paths: ["a.json", "a-2.json", "a-3.json"],
      why: "a number that is taken is passed over",
    },
    {
      names: ["../a.jpg", "/a.jpg", "a.jpg"],
      paths: ["a.json", "a-2.json", "a-3.json"],
      why: "names that were made safe do not meet",
    },
    {
      names: ["a.jpg", "a.json/b.jpg", "c.JSON.partial/d.jpg"],
      paths: ["a.json", "a.json_/b.json", "c.JSON.partial_/d.json"],
      why: "a folder never has a file's name",
    },
    { names: ["x/a.jpg", "y/a.jpg"], paths: ["x/a.json", "y/a.json"], why: "folders keep names apart" },
  ])("$why: $names", ({ names, paths }) => {
    const taken = new PathNames(".json");
    expect(names.map((name) => taken.take(toSafePath(name)))).toEqual(paths);
  });

  test("all differ, whatever the disk takes for the same, and no file is where a folder is", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(hostileName, fc.constantFrom("a.jpg", "A.png", "a-2.jpg", "a/b.jpg", "a.txt/b.jpg")), {
          maxLength: 30,
        }),
        (names) => {
          const taken = new PathNames(".txt");
          const keys = names.map((name) => taken.take(toSafePath(name)).normalize("NFC").toUpperCase());
          expect(new Set(keys).size).toBe(keys.length);
          const folders = new Set(
            keys.flatMap((key) =>
              key
                .split("/")
                .slice(0, -1)
                .map((_, depth, parts) => parts.slice(0, depth + 1).join("/")),
            ),
          );
          expect(keys.filter((key) => folders.has(key))).toEqual([]);
        },
      ),
    );
  });

  test("a hundred thousand equal names are no slower than different ones", () => {
    const taken = new PathNames(".txt");
    const path = toSafePath("a.jpg");
    let last = "";
    for (let i = 0; i < 100_000; i++) last = taken.take(path);
    expect(last).toBe("a-100000.txt");
  });
});

const hostilePart = fc.oneof(
  fc.string({ unit: "binary", maxLength: 12 }),
  fc.constantFrom(
    "..",
    ".",
    "",
    ".. ",
    ". .",
    "aux",
    "CON",
    "a.txt",
    "nul.txt",
    "a:b",
    " ",
    "...",
    "~",
    "images",
    "x".repeat(260),
    "é".repeat(150),
  ),
);
const hostileName = fc
  .array(hostilePart, { maxLength: 6 })
  .chain((parts) =>
    fc
      .array(fc.constantFrom("/", "\\", "//", ""), { minLength: parts.length, maxLength: parts.length })
      .map((separators) => parts.map((part, at) => separators[at]! + part).join("")),
  );
