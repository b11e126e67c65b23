/** A run's output folder may lie anywhere in the image folder: what is in it is not taken for input. */
import { describe, expect, test } from "vitest";
import { findImages } from "../../src/dataset/find-images.js";
import { openDataset } from "../../src/dataset/open-dataset.js";
import { withoutRunOutputs } from "../../src/files/run-layout.js";
import { errorOf, folderWith } from "../dataset/temporary-folder.js";

describe("of the files of a folder, a run wrote", () => {
  test.each([
    {
      why: "those in the folders beside run.json and journal.ndjson",
      paths: ["a.jpg", "out/run.json", "out/journal.ndjson", "out/overlays/a.jpg", "out/yolo-seg/images/x/a.jpg"],
      kept: ["a.jpg", "out/run.json", "out/journal.ndjson"],
    },
    {
      why: "nothing where only one of the two lies",
      paths: ["out/run.json", "out/overlays/a.jpg", "other/journal.ndjson", "other/overlays/a.jpg"],
      kept: "all",
    },
    {
      why: "nothing in folders it does not make",
      paths: ["out/run.json", "out/journal.ndjson", "out/photos/a.jpg", "out/overlays.jpg", "out/overlays2/a.jpg"],
      kept: "all",
    },
    {
      why: "nothing in folders of the same names elsewhere",
      paths: ["out/run.json", "out/journal.ndjson", "overlays/a.jpg", "out2/overlays/a.jpg", "x/out/overlays/a.jpg"],
      kept: "all",
    },
    {
      why: "also those of a run in the folder itself",
      paths: ["run.json", "journal.ndjson", "overlays/a.jpg", "a.jpg"],
      kept: ["run.json", "journal.ndjson", "a.jpg"],
    },
    {
      why: "and of several runs",
      paths: [
        "1/run.json",
        "1/journal.ndjson",
        "1/cityscapes/a.json",
        "2/3/run.json",
        "2/3/journal.ndjson",
        "2/3/labelme/a.json",
      ],
      kept: ["1/run.json", "1/journal.ndjson", "2/3/run.json", "2/3/journal.ndjson"],
    },
  ])("$why", ({ paths, kept }) => {
    expect(withoutRunOutputs(paths)).toEqual(kept === "all" ? paths : kept);
  });
});

const run = { "out/run.json": {}, "out/journal.ndjson": "", "out/overlays/a.jpg": "", "out/yolo-seg/images/a.jpg": "" };

test("a photograph is not ambiguous because of its overlay", async () => {
  const finder = await findImages(await folderWith({ ...run, "photos/a.jpg": "" }));
  expect(await finder.locate("a.jpg")).toMatchObject({ kind: "file", name: "photos/a.jpg" });
  expect(await finder.locateStem("a")).toMatchObject({ kind: "file", name: "photos/a.jpg" });
  expect(finder.count).toBe(1);
});

test("an overlay that is named by its path is a file like any other", async () => {
  const finder = await findImages(await folderWith({ ...run, "photos/a.jpg": "" }));
  expect(await finder.locate("out/overlays/a.jpg")).toMatchObject({ kind: "file" });
});

test("a folder with overlays only has no images", async () => {
  expect(await errorOf(findImages(await folderWith(run)))).toMatchObject({ exitCode: 66 });
});

test("Cityscapes polygons of a run are not read as boxes, nor do they change the input's identity", async () => {
  const file = { imgWidth: 9, imgHeight: 9, objects: [] };
  const folder = await folderWith({ "photos/a_leftImg8bit.png": "", "gtFine/a_gtFine_polygons.json": file });
  const before = await openDataset({ images: folder, boxes: folder });
  const again = await folderWith({
    ...run,
    "photos/a_leftImg8bit.png": "",
    "gtFine/a_gtFine_polygons.json": file,
    "out/cityscapes/a_gtFine_polygons.json": file,
  });
  const after = await openDataset({ images: again, boxes: again });
  expect({ images: after.imageCount, sha256: after.sha256 }).toEqual({ images: 1, sha256: before.sha256 });
});
