/**
 * All trained weights as one vector, cut into the network's tensors under the gradient tape: the gradient then is one vector too, and
 * optimizer, clipping and moving average are a dozen large operations instead of a thousand small ones.
 */
import type * as tfjs from "@tensorflow/tfjs";
import type { WeightTensor } from "./safetensors.js";
import { type WeightRole, toFileLayout, toTfjsLayout } from "./tfjs-layout.js";
import type { Tfjs } from "./tfjs-ops.js";

interface Part {
  readonly name: string;
  readonly role: WeightRole;
  readonly fileShape: readonly number[];
  readonly shape: number[];
  readonly offset: number;
  readonly size: number;
}

export class FlatWeights {
  readonly size: number;
  private readonly parts: readonly Part[];

  /** @param names in the order of the vector; @param shapes in file layout */
  constructor(
    names: readonly string[],
    shapes: ReadonlyMap<string, readonly number[]>,
    roles: ReadonlyMap<string, WeightRole>,
  ) {
    let offset = 0;
    this.parts = names.map((name) => {
      const fileShape = shapes.get(name)!;
      const role = roles.get(name)!;
      const size = fileShape.reduce((product, length) => product * length, 1);
      const { shape } = toTfjsLayout({ shape: fileShape, values: new Float32Array(size) }, role);
      const part = { name, role, fileShape, shape: [...shape], offset, size };
      offset += size;
      return part;
    });
    this.size = offset;
  }

  /** Tensors of the vector, in the layout of TensorFlow.js; the gradient flows through. */
  cut(tf: Tfjs, vector: tfjs.Tensor1D): Map<string, tfjs.Tensor> {
    const pieces = tf.split(
      vector,
      this.parts.map(({ size }) => size),
    );
    return new Map(this.parts.map(({ name, shape }, at) => [name, tf.reshape(pieces[at]!, shape)]));
  }

  /** @param weights in file layout @returns the vector's values */
  join(weights: ReadonlyMap<string, WeightTensor>): Float32Array {
    const values = new Float32Array(this.size);
    for (const { name, role, fileShape, offset } of this.parts) {
      const weight = weights.get(name);
      if (weight?.shape.join() !== fileShape.join())
        throw new Error(
          `weight ${name}: expected shape ${JSON.stringify(fileShape)} but received ${JSON.stringify(weight?.shape)}`,
        );
      values.set(toTfjsLayout(weight, role).values, offset);
    }
    return values;
  }

  /** The way back: copies, in file layout. */
  part(values: Float32Array): Map<string, WeightTensor> {
    return new Map(
      this.parts.map(({ name, role, fileShape, shape, offset, size }) => [
        name,
        {
          shape: fileShape,
          values: toFileLayout({ shape, values: values.subarray(offset, offset + size) }, role).values,
        },
      ]),
    );
  }
}
