/** The network of a review on an engine of its own. */
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { decodeImage, openImage } from "../../src/crop/open-image.js";
import { openEngine } from "../../src/engine/devices.js";
import type { Engine } from "../../src/engine/engine.js";
import { loadModel } from "../../src/model/model.js";
import { Network } from "../../src/review/redraw.js";
import { IMAGES, TINY } from "../annotate/runs.js";

/** As the network of 2017: its image side gives no mask. */
function withoutMask(engine: Engine): Engine {
  const { name, device, version } = engine;
  return {
    name,
    device,
    version,
    async encode(pixels, count) {
      const encoded = await engine.encode(pixels, count);
      const { size, firstVertexLogits } = encoded;
      return {
        size,
        firstVertexLogits,
        step: (input) => encoded.step(input),
        select: (rows) => encoded.select(rows),
        dispose: () => {
          encoded.dispose();
        },
      };
    },
    dispose: () => engine.dispose(),
  };
}

test("a network without a mask map redraws all the same, only without scores", async () => {
  const { engine } = await openEngine(await loadModel(TINY), { device: "cpu", threads: 1 });
  const network = new Network(withoutMask(engine), 0.15);
  onTestFinished(() => network.close());
  const opened = await openImage(join(IMAGES, "street.jpg"), {});
  const decoded = opened.kind === "opened" ? await decodeImage(opened.image) : opened;
  if (decoded.kind !== "decoded") throw new Error(decoded.failure.message);
  const box = { left: 40, top: 40, width: 80, height: 60 };
  const ring = [
    { x: 45, y: 45 },
    { x: 110, y: 50 },
    { x: 100, y: 95 },
    { x: 50, y: 90 },
  ];
  const instance = { ordinal: 0, imageId: 1, annotationId: 1, categoryId: 1, box, raw: {} };
  const subject = { instance, stamp: "", image: () => Promise.resolve(decoded.image) };
  for (const give of ["pin", "tail", "all"] as const) {
    const task = { ring, pins: [], moved: 1, give, candidate: 0, maxSteps: 20 };
    const drawn = await network.redraw(subject, { request: 1 }, task);
    expect([drawn.score, drawn.scoreBefore]).toEqual([undefined, undefined]);
    expect(drawn.ring.length).toBeGreaterThan(0);
    if (give !== "all") expect(drawn.ring[drawn.moved]).toEqual(ring[1]);
  }
});
