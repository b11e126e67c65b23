/** Pixels and boxes to polygons, without files; the tiny model, one thread. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import sharp from "sharp";
import { openDataset } from "../../src/dataset/open-dataset.js";
import type { OpenedModel, PredictedPolygon } from "../../src/index.js";
import { annotate, evaluate, openModel, predict, readDataset, simulateClicks, writers } from "../../src/index.js";
import type { Box } from "../../src/types.js";
import { BOXES, IMAGES, TINY, boxesWith, readCoco } from "../annotate/runs.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

/** Few steps, for speed. */
const QUICK = { maxSteps: 6, candidates: 1 } as const;

let model: OpenedModel;
let image: Buffer;
let boxes: Box[];

beforeAll(async () => {
  model = await openModel(TINY, { device: "cpu", threads: 1 });
  const coco = await readCoco(BOXES);
  const { id, file_name } = coco.images.find((one) => one.file_name === "street.jpg")!;
  image = await readFile(join(IMAGES, file_name));
  boxes = coco.annotations.flatMap(({ image_id, bbox: [left, top, width, height] }) =>
    image_id === id ? [{ left: left!, top: top!, width: width!, height: height! }] : [],
  );
});
afterAll(() => model.close());

const ringsOf = (polygons: readonly PredictedPolygon[]): unknown[] =>
  polygons.map((polygon) => (polygon.status === "done" ? polygon.ring : polygon.reason));

test("an encoded image, its RGB and its RGBA pixels give the same polygons, in any batch", async () => {
  const encoded = await predict(model, { image, boxes, ...QUICK });
  expect(encoded.filter(({ status }) => status === "done").length).toBeGreaterThan(4);
  const rgb = await sharp(image).raw().toBuffer({ resolveWithObject: true });
  const { width, height } = rgb.info;
  const rgba = await sharp(image).ensureAlpha().raw().toBuffer();
  const seen: number[] = [];
  const given = {
    ...QUICK,
    boxes,
    batchSize: 3,
    onProgress: ({ finished }: { finished: number }) => seen.push(finished),
  };
  expect(await predict(model, { image: { width, height, data: rgb.data }, ...given })).toEqual(encoded);
  expect(seen.at(-1)).toBe(boxes.length);
  const clamped = new Uint8ClampedArray(rgba);
  expect(await predict(model, { image: { width, height, data: clamped }, boxes: boxes.slice(1, 3), ...QUICK })).toEqual(
    encoded.slice(1, 3),
  );
});

test("a bad box fails by itself, and its neighbors do not notice", async () => {
  const bad = [{ left: NaN, top: 0, width: 9, height: 9 }, { left: 1e6, top: 0, width: 9, height: 9 }, null, {}];
  const found = await predict(model, { image, boxes: [...bad, boxes[0]!] as readonly Box[], ...QUICK });
  expect(ringsOf(found).slice(0, -1)).toEqual(["box-invalid", "box-outside", "box-invalid", "box-invalid"]);
  expect(found.slice(-1)).toEqual(await predict(model, { image, boxes: boxes.slice(0, 1), ...QUICK }));
  expect(found[0]).toMatchObject({ message: expect.stringContaining("boxes[0]") as string });
});

test.each([
  { why: "nothing", bad: new Uint8Array(0), says: "0 bytes" },
  { why: "text", bad: new TextEncoder().encode("hello"), says: '"hello"' },
  { why: "half a file", bad: undefined, says: "damaged" },
  { why: "no size", bad: { width: 0, height: 2, data: new Uint8Array(6) }, says: "width" },
  { why: "half a pixel", bad: { width: 2.5, height: 2, data: new Uint8Array(15) }, says: "2.5" },
  { why: "too few bytes", bad: { width: 2, height: 2, data: new Uint8Array(11) }, says: "11" },
  { why: "a size without end", bad: { width: 1e9, height: 1e9, data: new Uint8Array(3) }, says: "at most" },
  { why: "other numbers", bad: { width: 1, height: 1, data: new Float32Array(3) as never }, says: "Uint8Array" },
])("$why instead of an image is refused", async ({ bad, says }) => {
  const given = bad ?? image.subarray(0, image.length >> 1);
  await expect(predict(model, { image: given, boxes })).rejects.toMatchObject({
    code: "E_DATA",
    message: expect.stringContaining(says) as string,
  });
});

test("the signal stops each of the functions with its own reason", async () => {
  const stop = new AbortController();
  const onProgress = (): void => {
    stop.abort();
  };
  const halfway = predict(model, {
    image,
    boxes,
    batchSize: 1,
    ...QUICK,
    signal: stop.signal,
    onProgress,
  });
  await expect(halfway).rejects.toThrow(expect.objectContaining({ name: "AbortError" }));
  const { signal } = stop;
  await expect(predict(model, { image, boxes, signal })).rejects.toThrow(stop.signal.reason as Error);
  await expect(openModel(TINY, { signal })).rejects.toThrow(stop.signal.reason as Error);
  await expect(readDataset({ boxes: BOXES, signal })).rejects.toThrow(stop.signal.reason as Error);
  const late = new AbortController();
  const dataset = await readDataset({ boxes: BOXES, signal: late.signal });
  const walk = async (): Promise<void> => {
    for await (const { entries } of dataset.groups()) if (entries.length > 0) late.abort();
  };
  await expect(walk()).rejects.toThrow(late.signal.reason as Error);
  await dataset.close();
});

describe("a signal that is aborted before and in the middle", () => {
  const DATA = { images: IMAGES, model: TINY, device: "cpu", threads: 1, batchSize: 1, limit: 3, ...QUICK } as const;

  test("annotate: nothing is written, or the batches under way are kept and resume goes on", async () => {
    const out = join(temporaryFolder(), "run");
    const asked = { ...DATA, boxes: BOXES, out } as const;
    await expect(annotate({ ...asked, signal: AbortSignal.abort(new Error("before")) })).rejects.toThrow("before");
    const stop = new AbortController();
    const onProgress = (): void => {
      stop.abort();
    };
    const half = await annotate({ ...asked, signal: stop.signal, onProgress });
    expect(half).toMatchObject({ stopped: true });
    expect(half.done).toBeLessThan(3);
    expect(await annotate({ ...asked, resume: true })).toMatchObject({ stopped: false, done: 3 });
  });

  test("simulateClicks: its reason, or a study that says that it was stopped", async () => {
    const asked = { ...DATA, truth: BOXES, thresholds: [2], resamples: 0 } as const;
    const before = simulateClicks({ ...asked, signal: AbortSignal.abort(new Error("before")) });
    await expect(before).rejects.toThrow("before");
    const stop = new AbortController();
    const onProgress = (): void => {
      stop.abort();
    };
    expect(await simulateClicks({ ...asked, signal: stop.signal, onProgress })).toMatchObject({ stopped: true });
  });

  test("evaluate: its reason both times", async () => {
    const asked = { predictions: BOXES, truth: BOXES, compare: ["box"], resamples: 0 } as const;
    const before = evaluate({ ...asked, signal: AbortSignal.abort(new Error("before")) });
    await expect(before).rejects.toThrow("before");
    const stop = new AbortController();
    let rows = 0;
    const onRow = (): void => {
      rows++;
      stop.abort(new Error("in the middle"));
    };
    await expect(evaluate({ ...asked, signal: stop.signal, onRow })).rejects.toThrow("in the middle");
    expect(rows).toBeLessThan(50);
  });
});

test("a model that is closed during a call says so, and closing twice is fine", async () => {
  const own = await openModel(TINY, { device: "cpu", threads: 1 });
  const onProgress = (): void => {
    void own.close();
  };
  const call = predict(own, { image, boxes, batchSize: 1, ...QUICK, onProgress });
  await expect(call).rejects.toMatchObject({ code: "E_USAGE" });
  await own.close();
  await expect(predict(own, { image, boxes, ...QUICK })).rejects.toMatchObject({ code: "E_USAGE" });
});

test("reading, predicting and writing by oneself gives the polygons that annotate writes", async () => {
  const street = await boxesWith((coco) => {
    const { id } = coco.images.find((one) => one.file_name === "street.jpg")!;
    coco.images = coco.images.filter((one) => one.id === id);
    coco.annotations = coco.annotations.filter((one) => one.image_id === id);
  });
  const out = temporaryFolder();
  const dataset = await readDataset({ boxes: street, images: IMAGES });
  const writer = await writers.coco({ out, categories: dataset.categories });
  for await (const { image: record, location, entries } of dataset.groups()) {
    if (location.kind === "failed") throw new Error(location.failure.message);
    const instances = entries.flatMap((entry) => (entry.kind === "instance" ? [entry.instance] : []));
    const found = await predict(model, {
      image: await readFile(location.path),
      boxes: instances.map(({ box }) => box),
    });
    await writer.image({
      image: record,
      path: location.path,
      items: instances.map((instance, at) => {
        const { ordinal, annotationId, imageId } = instance;
        return { kind: "outcome", instance, outcome: { ordinal, annotationId, imageId, ...found[at]! } };
      }),
    });
  }
  expect(await writer.finish()).toEqual(["annotations.json"]);
  await dataset.close();
  const whole = {
    images: IMAGES,
    boxes: street,
    out: join(out, "run"),
    model: TINY,
    device: "cpu",
    threads: 1,
  } as const;
  const summary = await annotate(whole);
  expect(summary.failed).toBe(0);
  const segmentations = async (folder: string): Promise<unknown[]> =>
    (await readCoco(folder, "annotations.json")).annotations.map(({ segmentation }) => segmentation);
  expect(await segmentations(out)).toEqual(await segmentations(whole.out));
});

test("a data set that is open is walked by whoever holds it: only its opening listens to the signal", async () => {
  const stop = new AbortController();
  const dataset = await openDataset({ boxes: BOXES, signal: stop.signal });
  stop.abort();
  let images = 0;
  for await (const { entries } of dataset.groups()) images += entries.length > 0 ? 1 : 0;
  expect(images).toBeGreaterThan(5);
  await dataset.close();
});

test("the signal is looked at between two reads of a box file", async () => {
  const stop = new AbortController();
  let looks = 0;
  vi.spyOn(stop.signal, "throwIfAborted").mockImplementation(() => {
    if (++looks === 4) throw new Error("stopped at a read");
  });
  const boxes = join(temporaryFolder(), "long.json");
  await writeFile(boxes, `{"info":"${" ".repeat(2 ** 22)}",${(await readFile(BOXES, "utf8")).slice(1)}`);
  await expect(openDataset({ boxes, signal: stop.signal })).rejects.toThrow("stopped at a read");
});
