import { expect, test } from "vitest";
import { annotation, evaluateFiles, useFolder, writeCoco } from "../small-dataset.js";

const folder = useFolder();

/** Twenty images with one instance each: cars are the left half of their boxes, people the right half. */
function truthOf(halfOf: (id: number) => "left" | "right" | "whole"): readonly unknown[] {
  return Array.from({ length: 20 }, (_, i) => {
    const half = halfOf(i);
    const [left, width] = half === "whole" ? [10, 40] : [half === "left" ? 10 : 30, 20];
    return annotation(i + 1, left, 10, width, 40, {
      image_id: i + 1,
      category_id: i % 2 === 0 ? 1 : 7,
      bbox: [10, 10, 40, 40],
    });
  });
}

const images = Array.from({ length: 20 }, (_, i) => ({ id: i + 1, file_name: `${i}.jpg`, width: 100, height: 80 }));

test("the mean of a category's other masks is stretched into the box", async () => {
  const truth = writeCoco(
    folder.path,
    "truth.json",
    truthOf((i) => (i % 2 === 0 ? "left" : "right")),
    images,
  );
  const { report } = await evaluateFiles(truth, truth, { compare: [{ kind: "mean-shape" }] });
  expect(report.methods[1]).toMatchObject({ name: "mean-shape", failed: 0, instanceMean: { mean: 1 } });
});

test("an instance never sees the truth of its own image", async () => {
  // One car alone is whole: every other car says left.
  const truth = writeCoco(
    folder.path,
    "truth.json",
    truthOf((i) => (i === 0 ? "whole" : i % 2 === 0 ? "left" : "right")),
    images,
  );
  const { rows } = await evaluateFiles(truth, truth, { compare: [{ kind: "mean-shape" }] });
  const odd = rows.find((row) => row.status === "evaluated" && row.annotationId === 1);
  expect(odd?.status === "evaluated" && odd.scores[1]!.iou).toBe(0.5);
});

test("where too few others are left, the box is the answer", async () => {
  const few = truthOf(() => "whole").slice(0, 3);
  const truth = writeCoco(folder.path, "truth.json", few, images);
  const { report } = await evaluateFiles(truth, truth, { compare: [{ kind: "mean-shape" }] });
  expect(report.methods[1]).toMatchObject({ instanceMean: { mean: 1 }, failed: 0 });
});
