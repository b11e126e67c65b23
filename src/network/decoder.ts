/**
 * From image features to a polygon. Every architecture has the two ConvLSTM layers and a table through which they see
 * vertices; `mobile` and `tiny` share the light decoder.
 *
 * The layers follow Castrejon et al., CVPR 2017. The light decoder differs from that paper in three points. The image
 * side also gives a map of the object's mask, and the decoder sees edge, vertex and mask map. Vertices come with
 * relative coordinates besides the one-hot grid. The head is a 1 x 1 convolution and a low-rank dense layer, not one
 * dense layer of 9.8 million weights.
 */
import { CELL_COUNT, CLASS_COUNT, GRID_SIZE } from "../geometry/grid.js";
import type { CellOptions } from "./cells.js";
import { cellOf, listCell } from "./cells.js";
import type { Encoded, PolygonRnn, StateWidths, StepVertices } from "./polygon-rnn.js";
import { withStep } from "./polygon-rnn.js";
import type { TensorOps, VertexTable } from "./tensor-ops.js";
import { WeightList } from "./weights.js";

export interface LayerOptions extends CellOptions {
  readonly widths: StateWidths;
  readonly peepholes: boolean;
  readonly table: VertexTable;
  /** The vertices a step sees, in the order of the input channels of `decoder.gates_1`. */
  readonly vertices: readonly (keyof StepVertices<unknown>)[];
}

/** The recurrent part of a step, as in PolygonRnn. */
export function advanceLayers(options: LayerOptions): PolygonRnn["advance"] {
  const { table, vertices: order, peepholes, dilation = 1 } = options;
  const cell = cellOf(options);
  const names = { peepholes, conv: { dilation } };
  return (ops, hoisted, vertices, state) => {
    const y = order.map((name) => ops.lookup(vertices[name], table)); // 3 x [B, table.channels, 28, 28]
    const layer1 = cell.step(ops, { x: y, hoisted, state: state[0] }, { ...names, layer: 1 });
    const layer2 = cell.step(ops, { x: [layer1.h], state: state[1] }, { ...names, layer: 2 });
    return [layer1, layer2];
  };
}

/**
 * Kernels and biases of the cells; `list.peepholes` lists the rest.
 * @param imageChannels channels that the part of layer one sees which is computed once per crop
 */
export function listGates(list: WeightList, layers: LayerOptions, imageChannels: number): void {
  listCell(list, layers, { image: imageChannels, vertices: layers.vertices.length * layers.table.channels });
}

/** Edge, vertex and mask, in the order of `maps.out`. */
const MAP_COUNT = 3;

export interface LightOptions extends CellOptions {
  readonly widths: StateWidths;
  /** Channels of the image features. */
  readonly features: number;
  /** Channels between features and maps. */
  readonly mapsHidden: number;
  /** Width of the low-rank dense layer. */
  readonly rank: number;
  readonly peepholes: boolean;
}

/** What the encoder of a network with the light decoder gives. */
export interface LightFeatures<T> {
  /** [B, F, 28, 28], after ReLU. */
  readonly features: T;
  /** Logits, [B, 1, 112, 112]; absent without the option `refine`. */
  readonly fineMask?: T;
}

/** What a network with the light decoder has of its own. */
export interface LightEncoder {
  /** @param x normalized pixels, [B, 3, 224, 224] */
  encode<T>(ops: TensorOps<T>, x: T): LightFeatures<T>;
  listWeights(list: WeightList): void;
}

/** A network of this encoder and the light decoder. */
export function lightNetwork(options: LightOptions, encoder: LightEncoder): PolygonRnn {
  const table = relativeTable();
  const layers: LayerOptions = { ...options, table, vertices: ["first", "previous", "beforePrevious"] };
  const list = new WeightList();
  encoder.listWeights(list);
  listLightDecoder(list, layers, options);
  return withStep({
    widths: options.widths,
    hoistedChannels: cellOf(options).gates * options.widths[0],
    weightShapes: list.shapes,
    vertexTable: table,
    encode: (ops, pixels, normalization) =>
      encodeMaps(ops, encoder.encode(ops, ops.normalize(pixels, normalization)), cellOf(options).prefix),
    advance: advanceLayers(layers),
    head: lightHead,
  });
}

function encodeMaps<T>(ops: TensorOps<T>, { features, fineMask }: LightFeatures<T>, prefix: string): Encoded<T> {
  const maps = ops.conv2d(ops.relu(ops.conv2d(features, "maps.hidden")), "maps.out"); // [B, 3, 28, 28] logits
  const shown = ops.affine(ops.sigmoid(maps), 2, -1); // -1..1
  // [B, gates * C1, 28, 28]
  const hoisted = ops.conv2d(ops.concatChannels([features, shown]), `decoder.${prefix}_features`);
  return {
    features,
    edge: ops.channel(maps, 0),
    vertex: ops.channel(maps, 1),
    mask: ops.channel(maps, 2),
    ...(fineMask !== undefined && { fineMask }),
    hoisted,
  };
}

/** @param hidden h of layer two, [N, C2, 28, 28] @returns [N, 785] */
function lightHead<T>(ops: TensorOps<T>, hidden: T): T {
  const overall = ops.dense(ops.relu(ops.dense(hidden, "decoder.global_1")), "decoder.global_2"); // [N, 785]
  // [N, 784] -> [N, 785], 0 for end-of-sequence
  const perCell = ops.padEnd(ops.flatten(ops.conv2d(hidden, "decoder.cell")), 1);
  return ops.add(overall, perCell);
}

function listLightDecoder(list: WeightList, layers: LayerOptions, options: LightOptions): void {
  const { widths, features, mapsHidden, rank, peepholes } = options;
  list.conv("maps.hidden", mapsHidden, features, 3).conv("maps.out", MAP_COUNT, mapsHidden, 1);
  listGates(list, layers, features + MAP_COUNT);
  list.conv("decoder.cell", 1, widths[1], 1);
  list.dense("decoder.global_1", rank, widths[1] * CELL_COUNT).dense("decoder.global_2", CLASS_COUNT, rank);
  list.peepholes(widths, peepholes);
}

/** The paper's form: a one-hot grid. [785, 1, 28, 28]; the end-of-sequence row is all zeros. */
export const oneHotTable = madeOnce(() => {
  const values = new Float32Array(CLASS_COUNT * CELL_COUNT);
  for (let cell = 0; cell < CELL_COUNT; cell++) values[cell * CELL_COUNT + cell] = 1;
  return { name: "vertex.one_hot", channels: 1, values };
});

/**
 * One-hot grid and two planes of relative coordinates, (col - col of v) / 14 and (row - row of v) / 14. [785, 3, 28,
 * 28]; the end-of-sequence row is all zeros. Not in the paper: from these planes every 3 x 3 convolution knows where
 * the last vertex is. A one-hot cell spreads by one cell per step.
 */
export const relativeTable = madeOnce(() => {
  const values = new Float32Array(CLASS_COUNT * 3 * CELL_COUNT);
  for (let cell = 0; cell < CELL_COUNT; cell++) {
    const start = cell * 3 * CELL_COUNT;
    values[start + cell] = 1;
    for (let at = 0; at < CELL_COUNT; at++) {
      values[start + CELL_COUNT + at] = ((at % GRID_SIZE) - (cell % GRID_SIZE)) / (GRID_SIZE / 2);
      values[start + 2 * CELL_COUNT + at] =
        (Math.floor(at / GRID_SIZE) - Math.floor(cell / GRID_SIZE)) / (GRID_SIZE / 2);
    }
  }
  return { name: "vertex.relative", channels: 3, values };
});

/** A table is two million numbers that no network changes: all networks of a process share it. */
function madeOnce(make: () => VertexTable): () => VertexTable {
  let table: VertexTable | undefined;
  return () => (table ??= make());
}
