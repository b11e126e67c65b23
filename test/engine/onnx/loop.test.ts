import { InferenceSession, Tensor } from "onnxruntime-node";
import { expect, test } from "vitest";
import { EOS } from "../../../src/geometry/grid.js";
import { decodeGreedy } from "../../../src/predict/decode.js";
import { createRandom } from "../../../src/random.js";
import { loadModel } from "../../../src/model/model.js";
import { openOnnxEngine } from "../../../src/engine/onnx/models.js";
import { buildLoopModel } from "../../../src/engine/onnx/models.js";

test.each(["tiny-random", "mobile"])(
  "the loop inside the graph of %s predicts what the decode loop predicts, for any step limit",
  async (name) => {
    const model = await loadModel(name);
    const random = createRandom("loop");
    const count = 5;
    const pixels = Uint8Array.from({ length: count * 224 * 224 * 3 }, (_, at) =>
      at % 7 < 3 ? random.integer(256) : Math.floor(at / (224 * 3)) % 256,
    );
    const engine = await openOnnxEngine(model, { device: "cpu" });
    const session = await InferenceSession.create(buildLoopModel(model));
    for (const maxSteps of [1, 4, 30]) {
      const { sequences } = await decodeGreedy(engine, pixels, count, maxSteps);
      const { cells } = await session.run({
        pixels: new Tensor("uint8", pixels, [count, 224, 224, 3]),
        max_steps: new Tensor("int64", BigInt64Array.of(BigInt(maxSteps)), []),
      });
      const [rows, width] = cells!.dims as [number, number];
      expect(rows).toBe(count);
      expect(width).toBe(1 + Math.max(...sequences.map(({ steps }) => steps)));
      sequences.forEach((sequence, row) => {
        const predicted = [...(cells!.data as Int32Array).subarray(row * width, (row + 1) * width)];
        const padding = Array.from({ length: width - sequence.cells.length }, () => EOS);
        expect(predicted).toEqual([...sequence.cells, ...padding]);
      });
    }
    await session.release();
    await engine.dispose();
  },
);
