/** Photographs of a report's examples, for report.html. */
import { cutPicture } from "../crop/picture.js";
import type { ExamplePicture } from "./html/examples.js";
import type { Evaluation } from "./options.js";
import type { Example } from "./report-types.js";

/** Part of the box's long side that is shown around it. */
const CONTEXT = 0.4;
/** Pixels along a side: twice what the page shows on a plain screen. */
const SIDE = 480;

/** @param note told of an image that cannot be shown; its example is drawn on an empty ground */
export async function cutExamplePictures(
  { report, imagePaths }: Evaluation,
  note: (line: string) => void,
): Promise<Map<Example, ExamplePicture>> {
  const pictures = new Map<Example, ExamplePicture>();
  const { worst, median, best } = report.examples;
  for (const example of new Set([...worst, ...median, ...best])) {
    const path = imagePaths.get(example.imageId);
    if (path === undefined) continue;
    const [left, top, width, height] = example.box;
    const record = { width: example.imageWidth, height: example.imageHeight };
    const picture = await cutPicture(path, record, { left, top, width, height }, CONTEXT, SIDE);
    if ("jpeg" in picture) pictures.set(example, picture);
    else note(`no picture of annotation ${example.annotationId}: ${picture.message}`);
  }
  return pictures;
}
