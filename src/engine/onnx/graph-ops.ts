/**
 * TensorOps as a graph under construction: a tensor is a name, an operation appends nodes. The result is an ONNX graph
 * (NCHW, opset 17) that onnxruntime runs and `polyrnn export` can write to a file.
 */
import { CLASS_COUNT, CROP_SIZE, GRID_SIZE } from "../../geometry/grid.js";
import type { WeightedNetwork } from "../../model/model.js";
import type { Conv2dOptions, Normalization, TensorOps, VertexTable } from "../../network/tensor-ops.js";
import type { AttributeProto, DataType, GraphProto, NodeProto, TensorProto, ValueInfoProto } from "./proto.js";
import { intAttribute, intsAttribute, stringAttribute, tensorProto, valueInfo } from "./proto.js";

/** A value of the graph: its name and its shape without the batch, [C, H, W] or [N]. */
export interface GraphValue {
  readonly name: string;
  readonly shape: readonly number[];
}

export interface GraphOptions {
  /**
   * onnxruntime 1.30 on WebGPU gives wrong numbers for some 3 x 3 convolutions: those whose input channels divide by 3
   * but not by 4 (33, not 3 itself). Its shader reads three channels at a time there. With this option such inputs get
   * zero channels up to a multiple of 4; the result is the same. test/engine/webgpu.test.ts compares every operation
   * with the CPU.
   */
  readonly padConvInputs?: boolean;
}

export class OnnxGraphOps implements TensorOps<GraphValue> {
  private readonly nodes: NodeProto[] = [];
  private readonly inputs: ValueInfoProto[] = [];
  private readonly outputs: ValueInfoProto[] = [];
  /** Values that are outputs, by the name nodes gave them: they take the output's name when the graph is built. */
  private readonly renamed = new Map<string, string>();
  /** Constants; a body shares those of the graph around it. */
  private readonly initializers: Map<string, TensorProto>;

  /** @param outer the graph whose loop this is the body of: its values are visible here, and names must not repeat */
  constructor(
    private readonly graphName: string,
    private readonly weights: WeightedNetwork["weights"],
    private readonly options: GraphOptions = {},
    private readonly outer?: OnnxGraphOps,
  ) {
    this.initializers = outer === undefined ? new Map<string, TensorProto>() : outer.initializers;
  }

  /** Declares a graph input. @param shape without the batch */
  input(name: string, type: DataType, shape: readonly number[]): GraphValue {
    return this.inputOf(name, type, ["batch", ...shape], shape);
  }

  /** Declares a graph input of any shape. @param dims as ONNX wants them; [] is a scalar */
  inputOf(name: string, type: DataType, dims: readonly (number | string)[], shape: readonly number[] = []): GraphValue {
    this.inputs.push(valueInfo(name, type, dims));
    return { name, shape };
  }

  /** Declares a graph output under a name of its own. */
  output(value: GraphValue, name: string): void {
    this.outputOf(value, name, "float", ["batch", ...value.shape]);
  }

  /**
   * Declares a graph output of any type and shape. Copied is only what no node of this graph made, or what is an output
   * already: copies of the state take time at every step. A value that a loop's body looks at must not be an output
   * too.
   */
  outputOf(value: GraphValue, name: string, type: DataType, dims: readonly (number | string)[]): void {
    this.outputs.push(valueInfo(name, type, dims));
    const isMadeHere = this.nodes.some(({ output }) => output.includes(value.name));
    if (isMadeHere && !this.renamed.has(value.name)) this.renamed.set(value.name, name);
    else
      this.nodes.push({
        opType: "Identity",
        name: `output/${name}`,
        input: [value.name],
        output: [name],
        attribute: [],
      });
  }

  build(): GraphProto {
    const initializer = this.outer === undefined ? [...this.initializers.values()] : [];
    const rename = (names: readonly string[]): string[] => names.map((name) => this.renamed.get(name) ?? name);
    const node = this.nodes.map((made) => ({ ...made, input: rename(made.input), output: rename(made.output) }));
    return { name: this.graphName, node, initializer, input: this.inputs, output: this.outputs };
  }

  /** Appends a node with one output. @param shape of the output, without the batch */
  node(
    opType: string,
    input: readonly string[],
    shape: readonly number[],
    attribute: readonly AttributeProto[] = [],
  ): GraphValue {
    return { name: this.nodeWithOutputs(opType, input, 1, attribute)[0]!, shape };
  }

  nodeWithOutputs(
    opType: string,
    input: readonly string[],
    count: number,
    attribute: readonly AttributeProto[] = [],
  ): string[] {
    const prefix = this.outer === undefined ? "" : `${this.graphName}/`;
    const name = `${prefix}${opType}_${this.nodes.length}`;
    const output = count === 1 ? [name] : Array.from({ length: count }, (_, at) => `${name}.${at}`);
    this.nodes.push({ opType, name, input, output, attribute });
    return output;
  }

  /** A constant that every node may take as input. @returns its name */
  constant(name: string, dims: readonly number[], values: Float32Array | Int32Array | BigInt64Array): string {
    this.initializers.set(name, tensorProto(name, dims, values));
    return name;
  }

  normalize(pixels: GraphValue, { channelOrder, mean, std }: Normalization): GraphValue {
    const shape = [3, CROP_SIZE, CROP_SIZE];
    const planes = this.node("Transpose", [pixels.name], shape, [intsAttribute("perm", [0, 3, 1, 2])]);
    let x = this.node("Cast", [planes.name], shape, [intAttribute("to", 1)]);
    if (channelOrder === "BGR") {
      x = this.node("Gather", [x.name, this.ints("channel_order", [2, 1, 0])], shape, [intAttribute("axis", 1)]);
    }
    x = this.node("Sub", [x.name, this.floats("mean", [3, 1, 1], mean)], shape);
    return this.node("Div", [x.name, this.floats("std", [3, 1, 1], std)], shape);
  }

  conv2d(
    x: GraphValue,
    name: string,
    { stride = 1, padding = "same", depthwise = false, dilation = 1 }: Conv2dOptions = {},
  ): GraphValue {
    let kernel = this.weight(`${name}.weight`);
    const [outputs, inputChannels, size] = kernel.shape as [number, number, number];
    if (
      this.options.padConvInputs === true &&
      size > 1 &&
      !depthwise &&
      inputChannels > 3 &&
      inputChannels % 3 === 0 &&
      inputChannels % 4 !== 0
    ) {
      const extra = 4 - (inputChannels % 4);
      const zeros = this.ints(`pad_channels_${extra}`, [0, 0, 0, 0, 0, extra, 0, 0]);
      x = this.node("Pad", [x.name, zeros], [inputChannels + extra, ...x.shape.slice(1)]);
      // Folded when the graph is loaded.
      kernel = this.node("Pad", [kernel.name, zeros], [outputs, inputChannels + extra, size, size]);
    }
    const border = (dilation * (size - 1)) / 2;
    const pads = padding === "same" ? [border, border, border, border] : [0, 0, 1, 1]; // top, left, bottom, right
    const [channels, height, width] = x.shape as [number, number, number];
    const side = (length: number): number =>
      Math.floor((length + pads[0]! + pads[2]! - dilation * (size - 1) - 1) / stride) + 1;
    const inputs = [x.name, kernel.name];
    if (this.weights.has(`${name}.bias`)) inputs.push(this.weight(`${name}.bias`).name);
    return this.node(
      "Conv",
      inputs,
      [outputs, side(height), side(width)],
      [
        intsAttribute("kernel_shape", [size, size]),
        ...(dilation === 1 ? [] : [intsAttribute("dilations", [dilation, dilation])]),
        intsAttribute("strides", [stride, stride]),
        intsAttribute("pads", pads),
        intAttribute("group", depthwise ? channels : 1),
      ],
    );
  }

  maxPool(x: GraphValue, size: number): GraphValue {
    const [channels, height, width] = x.shape as [number, number, number];
    return this.node(
      "MaxPool",
      [x.name],
      [channels, Math.floor(height / size), Math.floor(width / size)],
      [intsAttribute("kernel_shape", [size, size]), intsAttribute("strides", [size, size])],
    );
  }

  resizeBilinear(x: GraphValue, size: number): GraphValue {
    const [channels, height, width] = x.shape as [number, number, number];
    const scales = this.floats(`scales_${size / height}_${size / width}`, [4], [1, 1, size / height, size / width]);
    return this.node(
      "Resize",
      [x.name, "", scales],
      [channels, size, size],
      [stringAttribute("mode", "linear"), stringAttribute("coordinate_transformation_mode", "half_pixel")],
    );
  }

  concatChannels(xs: readonly GraphValue[]): GraphValue {
    const channels = xs.reduce((sum, x) => sum + x.shape[0]!, 0);
    return this.node(
      "Concat",
      xs.map((x) => x.name),
      [channels, ...xs[0]!.shape.slice(1)],
      [intAttribute("axis", 1)],
    );
  }

  splitChannels(x: GraphValue, parts: number): GraphValue[] {
    const channels = x.shape[0]! / parts;
    const sizes = this.ints(
      `split_${parts}x${channels}`,
      Array.from({ length: parts }, () => channels),
    );
    return this.nodeWithOutputs("Split", [x.name, sizes], parts, [intAttribute("axis", 1)]).map((name) => ({
      name,
      shape: [channels, ...x.shape.slice(1)],
    }));
  }

  channel(x: GraphValue, index: number): GraphValue {
    const range = [
      this.ints(`int_${index}`, [index]),
      this.ints(`int_${index + 1}`, [index + 1]),
      this.ints("int_1", [1]),
    ];
    return this.node("Slice", [x.name, ...range], [1, ...x.shape.slice(1)]);
  }

  dense(x: GraphValue, name: string): GraphValue {
    const rows = this.weight(`${name}.weight`);
    const flat = x.shape.length === 1 ? x : this.flatten(x);
    return this.node(
      "Gemm",
      [flat.name, rows.name, this.weight(`${name}.bias`).name],
      [rows.shape[0]!],
      [intAttribute("transB", 1)],
    );
  }

  flatten(x: GraphValue): GraphValue {
    return this.node(
      "Flatten",
      [x.name],
      [x.shape.reduce((product, side) => product * side, 1)],
      [intAttribute("axis", 1)],
    );
  }

  padEnd(x: GraphValue, count: number): GraphValue {
    return this.node("Pad", [x.name, this.ints(`pad_end_${count}`, [0, 0, 0, count])], [x.shape[0]! + count]);
  }

  lookup(indices: GraphValue, table: VertexTable): GraphValue {
    const shape = [table.channels, GRID_SIZE, GRID_SIZE];
    if (!this.initializers.has(table.name)) {
      this.initializers.set(table.name, tensorProto(table.name, [CLASS_COUNT, ...shape], table.values));
    }
    return this.node("Gather", [table.name, indices.name], shape, [intAttribute("axis", 0)]);
  }

  add(a: GraphValue, b: GraphValue): GraphValue {
    return this.node("Add", [a.name, b.name], a.shape);
  }
  multiply(a: GraphValue, b: GraphValue): GraphValue {
    return this.node("Mul", [a.name, b.name], a.shape);
  }

  affine(x: GraphValue, scale: number, offset: number): GraphValue {
    const scaled = this.node("Mul", [x.name, this.floats(`float_${scale}`, [1], [scale])], x.shape);
    return this.node("Add", [scaled.name, this.floats(`float_${offset}`, [1], [offset])], x.shape);
  }

  multiplyMap(x: GraphValue, name: string): GraphValue {
    return this.node("Mul", [x.name, this.weight(`${name}.weight`).name], x.shape);
  }

  relu(x: GraphValue): GraphValue {
    return this.node("Relu", [x.name], x.shape);
  }
  relu6(x: GraphValue): GraphValue {
    return this.node("Clip", [x.name, this.floats("scalar_0", [], [0]), this.floats("scalar_6", [], [6])], x.shape);
  }
  sigmoid(x: GraphValue): GraphValue {
    return this.node("Sigmoid", [x.name], x.shape);
  }
  tanh(x: GraphValue): GraphValue {
    return this.node("Tanh", [x.name], x.shape);
  }

  /** Takes a weight into the graph as it stands in the file: OIHW kernels and [out, in] rows are ONNX's own layouts. */
  private weight(name: string): GraphValue {
    const weight = this.weights.get(name);
    if (weight === undefined) throw new Error(`the network asks for weight ${name}, which the model does not have`);
    if (!this.initializers.has(name)) this.initializers.set(name, tensorProto(name, weight.shape, weight.values));
    return { name, shape: weight.shape };
  }

  private floats(name: string, dims: readonly number[], values: readonly number[]): string {
    return this.constant(name, dims, Float32Array.from(values));
  }

  private ints(name: string, values: readonly number[]): string {
    return this.constant(name, [values.length], BigInt64Array.from(values, BigInt));
  }
}
