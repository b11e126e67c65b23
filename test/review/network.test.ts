/** The network of a review on an engine of its own. */
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { decodeImage, openImage } from "../../src/crop/open-image.js";
import { openEngine } from "../../src/engine/devices.js";
import type { Engine } from "../../src/engine/engine.js";
import { loadModel } from "../../src/model/model.js";
import type { Subject } from "../../src/review/redraw.js";
import { Network, Superseded } from "../../src/review/redraw.js";
import { IMAGES, TINY } from "../annotate/runs.js";

/** As the network of 2017: its image side gives no mask. @param onStep called before each step of the decoder */
function withoutMask(engine: Engine, onStep: () => void = () => undefined): Engine {
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
        select: (rows) => {
          const decoding = encoded.select(rows);
          return {
            size: decoding.size,
            firstVertexLogits: decoding.firstVertexLogits,
            step: (input) => {
              onStep();
              return decoding.step(input);
            },
            select: (some) => decoding.select(some),
            dispose: () => {
              decoding.dispose();
            },
          };
        },
        dispose: () => {
          encoded.dispose();
        },
      };
    },
    dispose: () => engine.dispose(),
  };
}

const ring = [
  { x: 45, y: 45 },
  { x: 110, y: 50 },
  { x: 100, y: 95 },
  { x: 50, y: 90 },
];

async function openNetwork(onStep?: () => void): Promise<{ network: Network; subject: Subject }> {
  const { engine } = await openEngine(await loadModel(TINY), { device: "cpu", threads: 1 });
  const network = new Network(() => Promise.resolve(withoutMask(engine, onStep)), 0.15);
  onTestFinished(() => network.close());
  const opened = await openImage(join(IMAGES, "street.jpg"), {});
  const decoded = opened.kind === "opened" ? await decodeImage(opened.image) : opened;
  if (decoded.kind !== "decoded") throw new Error(decoded.failure.message);
  const box = { left: 40, top: 40, width: 80, height: 60 };
  const instance = { ordinal: 0, imageId: 1, annotationId: 1, categoryId: 1, box, raw: {} };
  return { network, subject: { instance, stamp: "", image: () => Promise.resolve(decoded.image) } };
}

test("a redraw that nobody waits for ends at its next step, and the next one begins", async () => {
  let steps = 0;
  const gone = new AbortController();
  const { network, subject } = await openNetwork(() => {
    steps++;
    if (steps === 2) gone.abort(new Superseded());
  });
  const task = { ring, pins: [], moved: 1, give: "all", candidate: 0, maxSteps: 20 } as const;
  const left = network.redraw(subject, { request: 1, window: "a" }, { ...task, signal: gone.signal });
  await expect(left).rejects.toThrow(Superseded);
  expect(steps).toBe(2);
  const next = await network.redraw(subject, { request: 1, window: "b" }, task);
  expect([next.ring.length > 2, steps > 4]).toEqual([true, true]);
});

test("a network without a mask map redraws all the same, only without scores", async () => {
  const { network, subject } = await openNetwork();
  for (const give of ["pin", "tail", "all"] as const) {
    const task = { ring, pins: [], moved: 1, give, candidate: 0, maxSteps: 20 };
    const drawn = await network.redraw(subject, { request: 1 }, task);
    expect([drawn.score, drawn.scoreBefore]).toEqual([undefined, undefined]);
    expect(drawn.ring.length).toBeGreaterThan(0);
    if (give !== "all") expect(drawn.ring[drawn.moved]).toEqual(ring[1]);
  }
});
