/**
 * What cannot begin: box files, folders, models and output folders that are not what they have to be. A sentence says
 * which, where in it, what was expected, what was received and what to do next; the exit code says what kind; nothing
 * is written.
 */
import { chmod, cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import type { Place } from "./bad-input.js";
import { annotatePlace, exists, half, newPlace } from "./bad-input.js";
import { TINY, hashesOf, readCoco, readJson } from "./runs.js";

interface Case {
  readonly why: string;
  /** @returns options that name what is bad, where it is not the box file */
  readonly make: (place: Place) => Promise<unknown>;
  readonly code: number;
  /** In this order in the message; FOLDER stands for the place's folder. */
  readonly says: readonly string[];
  readonly hint: RegExp;
}

const written =
  (text: string | Buffer): Case["make"] =>
  ({ write }) =>
    write(text);
const json =
  (value: unknown): Case["make"] =>
  ({ write }) =>
    write(JSON.stringify(value));
const FORMATS = /Export the boxes in one of these formats, or pass another file\./;
const COMPLETE = /complete and was written by a JSON library/;

const BOX_FILES: readonly Case[] = [
  {
    why: "a text",
    make: written("boxes: 12\n"),
    code: 65,
    says: ["FOLDER/boxes.json: byte 0 (line 1)", "expected JSON", "received a YAML file"],
    hint: /^Boxes and ground truth may be the data.yaml of a YOLO data set; in any other place convert it to JSON first/,
  },
  {
    why: "an empty file",
    make: written(""),
    code: 65,
    says: ["FOLDER/boxes.json: byte 0", "expected JSON", "received an empty file"],
    hint: /^Fetch or export it again/,
  },
  {
    why: "a web page",
    make: written("\n\n<!doctype html>"),
    code: 65,
    says: ["FOLDER/boxes.json: byte 2 (line 3)", "received an HTML page"],
    hint: /^Fetch the file itself; the download failed or asks for a login/,
  },
  {
    why: "JSON that breaks off",
    make: async ({ boxes, write }) => write(await half(boxes)),
    code: 65,
    says: ["FOLDER/boxes.json: byte ", "received the end of the file"],
    hint: COMPLETE,
  },
  {
    why: "JSON with a missing comma",
    make: ({ coco, write }) => write(JSON.stringify(coco, null, 1).replace(/\],\n "annotations"/, ']\n "annotations"')),
    code: 65,
    says: ["FOLDER/boxes.json: byte ", "(line ", 'expected "," or "}" after the value of "categories"', 'received """'],
    hint: COMPLETE,
  },
  {
    why: "a key that stands twice",
    make: ({ coco, write }) => write(`${JSON.stringify(coco).slice(0, -1)},"images":[]}`),
    code: 65,
    says: ["FOLDER/boxes.json: byte ", "expected every top-level key once", '"images" a second time'],
    hint: COMPLETE,
  },
  {
    why: "a gzip file",
    make: written(gzipSync("{}")),
    code: 65,
    says: ["FOLDER/boxes.json", "expected JSON", "received a gzip file"],
    hint: /^Unpack it first/,
  },
  {
    why: "UTF-16, as Windows writes it",
    make: written(Buffer.from("\ufeff{}", "utf16le")),
    code: 65,
    says: ["expected JSON", "received text in UTF-16"],
    hint: /^Save it as UTF-8/,
  },
  {
    why: "a photograph",
    make: async ({ images, write }) => write(await readFile(join(images, "park.jpg"))),
    code: 65,
    says: ["FOLDER/boxes.json: byte 0", "expected JSON", "received a JPEG image"],
    hint: /^Name the JSON file itself/,
  },
  {
    why: "JSON of LabelMe without its image",
    make: json({ version: "5.5.0", flags: {}, shapes: [] }),
    code: 65,
    says: [
      "FOLDER/boxes.json",
      "expected a COCO file",
      "a COCO results list",
      "a Cityscapes file",
      'received an object with "version", "flags", "shapes"',
    ],
    hint: FORMATS,
  },
  {
    why: "GeoJSON",
    make: json({ type: "FeatureCollection", features: [] }),
    code: 65,
    says: ["FOLDER/boxes.json", "expected a COCO file", 'received an object with "type", "features"'],
    hint: FORMATS,
  },
  {
    why: "an empty object",
    make: json({}),
    code: 65,
    says: ["expected a COCO file", "received an empty object"],
    hint: FORMATS,
  },
  {
    why: "a list of something else",
    make: json([{ x: 1 }, { x: 2 }]),
    code: 65,
    says: [
      "FOLDER/boxes.json",
      "expected a COCO results list",
      "received a list of 2 in which nothing has an image_id",
    ],
    hint: /Pass detections as COCO results/,
  },
  {
    why: "COCO whose images have no id",
    make: async ({ coco, write }) => write(JSON.stringify({ ...coco, images: [{ file_name: "park.jpg" }] })),
    code: 65,
    says: ["FOLDER/boxes.json: images[0], byte ", "expected an image record with an id", "received none"],
    hint: /Give the image an id/,
  },
  {
    why: "COCO with a category without a name",
    make: async ({ coco, write }) => write(JSON.stringify({ ...coco, categories: [{ id: 1 }] })),
    code: 65,
    says: ["FOLDER/boxes.json: categories[0]", "expected /name to be present", "received nothing"],
    hint: /Correct this category/,
  },
  {
    why: "COCO with a category id that stands twice",
    make: async ({ coco, write }) =>
      write(
        JSON.stringify({
          ...coco,
          categories: [
            { id: 1, name: "a" },
            { id: 1, name: "b" },
          ],
        }),
      ),
    code: 65,
    says: ["FOLDER/boxes.json: categories[1]", "expected every category id once", "received 1 a second time"],
    hint: /Correct this category/,
  },
  {
    why: "no file",
    make: ({ boxes }) => rm(boxes),
    code: 66,
    says: ["FOLDER/boxes.json", "expected a box file or a folder of them", "received no such file"],
    hint: /Check the spelling/,
  },
  {
    why: "a folder without box files",
    make: async ({ boxes }) => {
      await rm(boxes);
      await mkdir(boxes);
      await writeFile(join(boxes, "notes.json"), "{}");
    },
    code: 65,
    says: [
      "FOLDER/boxes.json",
      "expected *_gtFine_polygons.json, *_gtCoarse_polygons.json or *_gtBboxCityPersons.json at any depth",
      'received 1 other file ("notes.json")',
    ],
    hint: /A COCO, CSV or Label Studio file is passed by its own name/,
  },
];

const IMAGE_FOLDERS: readonly Case[] = [
  {
    why: "no folder",
    make: ({ images }) => rm(images, { recursive: true }),
    code: 66,
    says: ["FOLDER/images", "expected a folder with images", "received no such folder"],
    hint: /Check the spelling/,
  },
  {
    why: "a file",
    make: async ({ images }) => {
      await rm(images, { recursive: true });
      await writeFile(images, "");
    },
    code: 66,
    says: ["FOLDER/images", "expected a folder with images", "received a file"],
    hint: /Pass the folder the images lie in/,
  },
  {
    why: "a folder without images",
    make: async ({ images }) => {
      await rm(images, { recursive: true });
      await mkdir(images);
      await writeFile(join(images, "notes.txt"), "");
    },
    code: 66,
    says: ["FOLDER/images", "expected images (jpg, jpeg, ", "at any depth", "received none"],
    hint: /Pass the folder the images lie in/,
  },
];

const sayAll = (message: string, says: readonly string[], folder: string): void => {
  let rest = message;
  for (const part of says.map((said) => said.replaceAll("FOLDER", folder))) {
    expect(rest).toContain(part);
    rest = rest.slice(rest.indexOf(part) + part.length);
  }
};

async function expectRefusal(
  place: Place,
  more: readonly string[],
  { code, says, hint }: Pick<Case, "code" | "says" | "hint">,
): Promise<void> {
  const before = await hashesOf(place.folder);
  const told = await annotatePlace(place, more);
  expect(told.code, told.words).toBe(code);
  if (told.report.type !== "error") throw new Error("expected an error");
  sayAll(told.report.message, says, place.folder);
  expect(told.report.hint).toMatch(hint);
  expect(told.words).toContain(`polyrnn: ${told.report.message}\n${told.report.hint}\n`);
  expect(told.words).not.toMatch(/\n +at /);
  expect(await hashesOf(place.folder)).toEqual(before);
}

describe.each([
  { kind: "the box file is", cases: BOX_FILES },
  { kind: "the image folder is", cases: IMAGE_FOLDERS },
])("$kind", ({ cases }) => {
  test.each(cases)("$why", async (row) => {
    const place = await newPlace();
    await row.make(place);
    await expectRefusal(place, [], row);
    expect(await exists(place.out)).toBe(false);
  });
});

describe("--dataset is", () => {
  const results = [{ image_id: 1015, category_id: 1, bbox: [1, 1, 9, 9], score: 1 }];
  test.each([
    {
      why: "missing",
      content: undefined,
      code: 66,
      says: ["FOLDER/named.json", "expected a COCO file of --dataset that can be read", "received no such file"],
      hint: /Check the spelling/,
    },
    {
      why: "no JSON",
      content: "hello",
      code: 65,
      says: ["FOLDER/named.json: byte 0 (line 1)", "expected an object or a list"],
      hint: COMPLETE,
    },
    {
      why: "without images",
      content: JSON.stringify({ categories: [] }),
      code: 65,
      says: [
        "FOLDER/named.json",
        "expected a COCO file with the lists images and categories",
        "received one without images",
      ],
      hint: /the detector was run on/,
    },
    {
      why: "given beside a COCO file",
      content: "{}",
      code: 2,
      says: [
        "--dataset FOLDER/named.json",
        "expected only with a COCO results list",
        "received together with a COCO file (FOLDER/boxes.json)",
      ],
      hint: /Leave --dataset out/,
    },
  ])("$why", async ({ why, content, ...row }) => {
    const place = await newPlace();
    if (why !== "given beside a COCO file") await place.write(JSON.stringify(results));
    const named = join(place.folder, "named.json");
    if (content !== undefined) await writeFile(named, content);
    await expectRefusal(place, ["--dataset", named], row);
    expect(await exists(place.out)).toBe(false);
  });
});

describe("the model is", () => {
  const REFETCH = /Fetch it again|fetch the model again|Fetch the model again/;
  const changed = async (folder: string, change: (card: Record<string, unknown>) => void): Promise<void> => {
    const card = await readJson<Record<string, unknown>>(folder, "model.json");
    change(card);
    await writeFile(join(folder, "model.json"), JSON.stringify(card));
  };
  test.each<{
    why: string;
    make: (folder: string) => Promise<unknown>;
    code?: number;
    says: readonly string[];
    hint: RegExp;
  }>([
    {
      why: "changed by one bit",
      make: async (folder) => {
        const weights = await readFile(join(folder, "model.safetensors"));
        weights[weights.length - 100]! ^= 1;
        await writeFile(join(folder, "model.safetensors"), weights);
      },
      says: ["FOLDER/model/model.safetensors", "expected sha256 4c329f008f1c (53854 bytes)", "but received "],
      hint: REFETCH,
    },
    {
      why: "cut short",
      make: async (folder) =>
        writeFile(join(folder, "model.safetensors"), await half(join(folder, "model.safetensors"))),
      says: ["FOLDER/model/model.safetensors", "expected sha256 4c329f008f1c (53854 bytes)", "(32312 bytes)"],
      hint: REFETCH,
    },
    {
      why: "of another card",
      make: (folder) =>
        changed(folder, (card) => {
          card["files"] = { "model.safetensors": { sha256: "0".repeat(64), bytes: 53854 } };
        }),
      says: ["FOLDER/model/model.safetensors", "expected sha256 000000000000"],
      hint: REFETCH,
    },
    {
      why: "without its weights",
      make: (folder) => rm(join(folder, "model.safetensors")),
      code: 66,
      says: ["FOLDER/model/model.safetensors", "expected a safetensors file", "no such file"],
      hint: /Check the path/,
    },
    {
      why: "without a card",
      make: (folder) => rm(join(folder, "model.json")),
      says: ["FOLDER/model", "expected a model's folder with model.json in it"],
      hint: /polyrnn models/,
    },
    {
      why: "with a card that is no JSON",
      make: (folder) => writeFile(join(folder, "model.json"), "{"),
      says: ["FOLDER/model/model.json", "expected a model card in JSON"],
      hint: REFETCH,
    },
    {
      why: "of a later version",
      make: (folder) =>
        changed(folder, (card) => {
          card["formatVersion"] = 2;
        }),
      says: ["FOLDER/model/model.json", "expected formatVersion 1 but received 2"],
      hint: /Update polyrnn or the model/,
    },
    {
      why: "with a context of 1500 %",
      make: (folder) =>
        changed(folder, (card) => {
          card["context"] = 15;
        }),
      says: ["FOLDER/model/model.json", "expected /context to be", "but received 15"],
      hint: REFETCH,
    },
    {
      why: "of another architecture than its weights",
      make: (folder) =>
        changed(folder, (card) => {
          card["architecture"] = { ...(card["architecture"] as object), features: 9 };
        }),
      says: ["FOLDER/model", "expected shape", "but received"],
      hint: /belong to the architecture/,
    },
  ])("$why", async ({ make, code = 69, ...row }) => {
    const place = await newPlace();
    const folder = join(place.folder, "model");
    await cp(TINY, folder, { recursive: true });
    await make(folder);
    await expectRefusal(place, ["--model", folder], { code, ...row });
    expect(await exists(place.out)).toBe(false);
  });

  test("nobody's name: the nearest one is suggested", async () => {
    await expectRefusal(await newPlace(), ["--model", "mobil"], {
      code: 69,
      says: ['model "mobil"', "expected one of mobile"],
      hint: /^Did you mean mobile\?$/,
    });
  });
});

describe("the output folder is", () => {
  test("below a file", async () => {
    await expectRefusal(await newPlace(), ["--out", join(TINY, "model.json", "out")], {
      code: 73,
      says: ["model.json: expected to write here", "a file is where a folder has to be (EEXIST)"],
      hint: /choose another folder with --out/,
    });
  });

  test("a file", async () => {
    const place = await newPlace();
    await writeFile(place.out, "mine");
    await expectRefusal(place, [], {
      code: 73,
      says: ["FOLDER/out", "expected to write here", "a file is where a folder has to be (EEXIST)"],
      hint: /choose another folder with --out/,
    });
  });

  test("full of somebody's work", async () => {
    const place = await newPlace();
    await mkdir(place.out);
    for (const name of ["annotations.json", "thesis.txt", "a", "b"]) await writeFile(join(place.out, name), "mine");
    await expectRefusal(place, [], {
      code: 73,
      says: ["--out FOLDER/out", "expected an empty folder", "received one with", '"annotations.json"', "and 1 more"],
      hint: /another folder with --out/,
    });
  });

  const isRoot = process.getuid?.() === 0;
  if (isRoot) console.log("Skipped: a folder without permission (the administrator may write everything)");
  test.skipIf(isRoot)("without permission", async () => {
    const place = await newPlace();
    await mkdir(place.out, { mode: 0o500 });
    await expectRefusal(place, [], { code: 73, says: ["FOLDER/out", "permission is denied (EACCES)"], hint: /--out/ });
    await chmod(place.out, 0o700);
  });

  const hasProc = process.platform === "linux";
  if (!hasProc) console.log("Skipped: a folder where nothing can be made (/proc is not here)");
  test.skipIf(!hasProc)("where nothing can be made", async () => {
    await expectRefusal(await newPlace(), ["--out", "/proc/polyrnn-out"], {
      code: 73,
      says: ["/proc/polyrnn-out: expected to make a folder here", "/proc takes none"],
      hint: /--out/,
    });
  });
});

describe("nothing to do", () => {
  test("a box file without annotations is a success that says so, and its images come out", async () => {
    const place = await newPlace();
    place.coco.annotations = [];
    await place.write(place.coco);
    const { code, words, report } = await annotatePlace(place, [
      "--overlays",
      "auto",
      "--format",
      "coco,labelme,cityscapes,yolo-seg,label-studio",
    ]);
    expect(code, words).toBe(0);
    expect(report).toMatchObject({ annotations: 0, done: 0, failed: 0, skipped: 0, remaining: 0, meanScore: null });
    expect(words).toContain("nothing to draw: there are no annotations");
    expect(await readCoco(place.out, "annotations.json")).toEqual(place.coco);
  });

  test("nor does an empty results list or a file with crowds only end badly", async () => {
    const place = await newPlace();
    await place.write("[]");
    expect((await annotatePlace(place)).code).toBe(0);
    place.coco.annotations = place.coco.annotations.map((annotation) => ({ ...annotation, iscrowd: 1 }));
    await place.write(place.coco);
    const { code, words, report } = await annotatePlace(place, ["--force"]);
    expect(code, words).toBe(0);
    expect(report).toMatchObject({ done: 0, skippedByReason: { crowd: 3 } });
    expect(words).toContain("nothing to draw: 3 annotations, and all passed over");
  });
});
