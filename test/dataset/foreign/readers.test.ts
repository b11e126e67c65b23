/** Boxes in the formats of other tools come in as COCO would have them. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readImageSize } from "../../../src/crop/open-image.js";
import { openDataset } from "../../../src/dataset/open-dataset.js";
import { PolyrnnError } from "../../../src/errors.js";
import { BOXES, folderOf, FORMS } from "./forms.js";
import { boxOf, groupsOf, read, readForm } from "./read-form.js";

describe.each(FORMS.map((form) => [form.name, form] as const))("%s", (_, form) => {
  test("gives the boxes, labels and images of the same data in COCO", async () => {
    const { dataset, groups } = await readForm(form);
    const names = new Map(dataset.categories.map(({ id, name }) => [id, name]));
    const seen = groups.flatMap(({ location, entries }) =>
      entries.flatMap((entry) =>
        entry.kind === "instance"
          ? [[location.kind === "file" && location.path, names.get(entry.instance.categoryId), boxOf(entry)] as const]
          : [],
      ),
    );
    const plain = seen.map(([path, label, box]) => [
      String(path).replace(/.*\/images\//, ""),
      String(label).replace("_", " "),
      box,
    ]);
    expect(plain).toHaveLength(BOXES.length);
    expect(plain).toEqual(expect.arrayContaining(BOXES.map(([image, label, box]) => [image, label, [...box]])));
    expect(dataset.format).toBe(form.name);
  });

  test("numbers annotations without a gap, counts images without boxes, and is walked twice alike", async () => {
    const home = await folderOf(form.files);
    const dataset = await openDataset({
      images: join(home, "images"),
      boxes: join(home, form.boxes),
      imageSize: readImageSize,
    });
    const first = await groupsOf(dataset);
    const ordinals = first.flatMap(({ entries }) =>
      entries.map((entry) => (entry.kind === "instance" ? entry.instance.ordinal : entry.ordinal)),
    );
    expect(ordinals).toEqual(Array.from({ length: dataset.annotationCount }, (_, i) => i));
    expect(first).toHaveLength(dataset.imageCount);
    // Detectors print a line per box: an image without boxes has none.
    expect(dataset.imageCount).toBe(form.name === "ndjson" ? 2 : 3);
    expect(await groupsOf(dataset)).toEqual(first);
    await dataset.close();
  });

  test("has another identity when a byte of its boxes changes", async () => {
    const [name, text] = Object.entries(form.files).find(([, text]) => text.includes("5"))!;
    const { dataset } = await readForm(form);
    const changed = await readForm({ ...form, files: { ...form.files, [name]: text.replace("5", "4") } });
    expect(changed.dataset.sha256).not.toBe(dataset.sha256);
    expect((await readForm(form)).dataset.sha256).toBe(dataset.sha256);
  });

  test("whatever bytes are changed, cut or doubled, nothing but the house's errors is thrown", async () => {
    const home = await folderOf(form.files);
    const files = Object.entries(form.files);
    const hostile = [
      "NaN",
      "1e999",
      "-",
      '"',
      "<",
      "&x;",
      "\0",
      "[",
      "{",
      ",",
      "\u{1F600}",
      "\n",
      "0x10",
      "9".repeat(30),
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: files.length - 1 }),
        fc.nat(),
        fc.constantFrom("cut", "insert", "double"),
        fc.constantFrom(...hostile),
        async (which, where, how, text) => {
          const [name, original] = files[which]!;
          const at = where % (original.length + 1);
          const [head, tail] = [original.slice(0, at), original.slice(at)];
          const damaged = how === "cut" ? head : how === "insert" ? head + text + tail : original + tail;
          await writeFile(join(home, name), damaged);
          try {
            await read(home, form.boxes);
          } catch (error) {
            if (!(error instanceof PolyrnnError)) throw error;
            expect([2, 65, 66]).toContain(error.exitCode);
          } finally {
            await writeFile(join(home, name), original);
          }
        },
      ),
      { numRuns: 25 },
    );
  });
});

describe("fields that pass through", () => {
  const rawOf = async (name: string): Promise<Record<string, unknown>> => {
    const { entries } = await readForm(FORMS.find((form) => form.name === name)!);
    const [first] = entries;
    if (first?.kind !== "instance") throw new Error("expected an instance");
    return first.instance.raw;
  };
  test.each([
    ["voc", { attributes: { pose: "Left", truncated: false, difficult: true } }],
    ["labelme", { attributes: { checked: true, group_id: 7 } }],
    ["cvat", { attributes: { color: "red & white", occluded: true, z_order: 3 } }],
    ["csv", { attributes: { note: 'a "b", c' } }],
    ["ndjson", { score: 0.5, source_id: "d0" }],
  ])("%s", async (name, expected) => {
    expect(await rawOf(name)).toMatchObject(expected);
  });

  test("CVAT's tags stay with their image", async () => {
    const { groups } = await readForm(FORMS.find(({ name }) => name === "cvat")!);
    expect(groups[0]!.image.raw["tags"]).toEqual([{ label: "day" }]);
  });

  test("regions of KITTI without labels are skipped and counted", async () => {
    const { entries } = await readForm(FORMS.find(({ name }) => name === "kitti")!);
    expect(entries.filter((entry) => entry.kind === "skipped" && entry.reason === "ignored")).toHaveLength(3);
  });
});
