/**
 * Numbers of kernels of our own beside the CPU's, crop by crop: maps and logits as shares of their range, and how many
 * steps choose the same cell. Both see the CPU's vertices at each step, so that one difference does not make the next.
 * The choice on the device is compared by whole polygons. `node bench/card.mjs --numbers` prints the result.
 */
import { openOnnxEngine } from "../dist/engine/onnx/models.js";
import { EOS } from "../dist/geometry/grid.js";
import { chooseBest } from "../dist/predict/choose-vertex.js";
import { bestFirstVertices, stepInput } from "../dist/predict/decode-loop.js";
import { stackPixels } from "../dist/crop/crop.js";

/** Crops on the device at once: few, so that a driver on the CPU answers now and then. */
const AT_ONCE = 8;
const MAPS = ["firstVertexLogits", "maskLogits", "fineMaskLogits"];

/** The largest difference of a tensor and its range, over all that was compared. */
class Difference {
  low = Infinity;
  high = -Infinity;
  worst = 0;

  add(expected, received) {
    for (const [at, value] of expected.entries()) {
      this.low = Math.min(this.low, value);
      this.high = Math.max(this.high, value);
      const difference = Math.abs(value - received[at]);
      if (!(difference <= this.worst)) this.worst = difference; // also what is no number
    }
  }

  get share() {
    return this.worst / (this.high - this.low);
  }
}

/**
 * @param engine   over kernels, the caller's
 * @param progress called after every few crops with how many there are
 * @returns        tensors by name, as shares of their range; steps and polygons, all and the same ones
 */
export async function compareWithCpu(engine, model, crops, { maxSteps, progress = () => undefined }) {
  const cpu = await openOnnxEngine(model, { device: "cpu" });
  const tensors = new Map();
  const compare = (name, expected, received) => {
    if (!tensors.has(name)) tensors.set(name, new Difference());
    tensors.get(name).add(expected, received);
  };
  const counts = { steps: 0, sameSteps: 0, polygons: 0, samePolygons: 0, sameFirsts: 0 };
  try {
    for (let start = 0; start < crops.length; start += AT_ONCE) {
      const some = crops.slice(start, start + AT_ONCE);
      await compareBatch({ cpu, engine }, stackPixels(some), some.length, { maxSteps, compare, counts });
      progress(start + some.length, counts);
    }
  } finally {
    await cpu.dispose();
  }
  return { tensors: Object.fromEntries([...tensors].map(([name, { share }]) => [name, share])), ...counts };
}

async function compareBatch({ cpu, engine }, pixels, count, { maxSteps, compare, counts }) {
  const [expected, received] = [await cpu.encode(pixels, count), await engine.encode(pixels, count)];
  try {
    for (const name of MAPS) if (expected[name] !== undefined) compare(name, expected[name], received[name]);
    const firsts = bestFirstVertices(expected);
    counts.sameFirsts += bestFirstVertices(received).filter((first, at) => first === firsts[at]).length;
    const chosenThere = (await received.decode(firsts, maxSteps)).map(({ chosen }) => chosen);
    const cells = firsts.map((first) => [first]);
    const isOver = (row) => cells[row].at(-1) === EOS || cells[row].length > maxSteps;
    for (let step = 0; step < maxSteps && !firsts.every((_, row) => isOver(row)); step++) {
      const input = stepInput(cells.map((row, at) => (isOver(at) ? undefined : { cells: row })));
      const [onCpu, onDevice] = [await expected.step(input), await received.step(input)];
      for (const row of firsts.keys()) {
        if (isOver(row)) continue;
        const span = [row * (EOS + 1), (row + 1) * (EOS + 1)];
        compare("logits of steps", onCpu.subarray(...span), onDevice.subarray(...span));
        const [wanted, chosen] = [chooseBest(onCpu, row).index, chooseBest(onDevice, row).index];
        counts.steps++;
        if (wanted === chosen) counts.sameSteps++;
        cells[row].push(wanted);
      }
    }
    counts.polygons += count;
    counts.samePolygons += cells.filter((row, at) => String(row.slice(1)) === String(chosenThere[at])).length;
  } finally {
    for (const encoded of [expected, received]) encoded.dispose();
  }
}
