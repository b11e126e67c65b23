/**
 * The part of the ONNX file format that our graphs use, as a protobuf schema, and its encoder.
 * Source: onnx.proto3 of the ONNX specification (field numbers and enum values are facts of the format).
 */
import protobuf from "protobufjs/light.js";

/** IR version 8 goes with opset 17 (ONNX 1.12). */
const IR_VERSION = 8;
export const ONNX_OPSET = 17;

/** TensorProto.DataType */
export const DATA_TYPE = { float: 1, uint8: 2, int32: 6, int64: 7, bool: 9 } as const;
export type DataType = keyof typeof DATA_TYPE;

/** AttributeProto.AttributeType */
const ATTRIBUTE_TYPE = { int: 2, string: 3, graph: 5, ints: 7 } as const;

export interface TensorProto {
  readonly name: string;
  readonly dims: readonly number[];
  readonly dataType: number;
  readonly rawData: Uint8Array;
}
export interface AttributeProto {
  readonly name: string;
  readonly type: number;
  readonly i?: number;
  readonly s?: Uint8Array;
  readonly g?: GraphProto;
  readonly ints?: readonly number[];
}
export interface NodeProto {
  readonly opType: string;
  readonly name: string;
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly attribute: readonly AttributeProto[];
}
export type Dimension = { readonly dimValue: number } | { readonly dimParam: string };
export interface ValueInfoProto {
  readonly name: string;
  readonly type: {
    readonly tensorType: { readonly elemType: number; readonly shape: { readonly dim: readonly Dimension[] } };
  };
}
export interface GraphProto {
  readonly name: string;
  readonly node: readonly NodeProto[];
  readonly initializer: readonly TensorProto[];
  readonly input: readonly ValueInfoProto[];
  readonly output: readonly ValueInfoProto[];
}

const root = protobuf.Root.fromJSON({
  nested: {
    AttributeProto: {
      fields: {
        name: { type: "string", id: 1 },
        i: { type: "int64", id: 3 },
        s: { type: "bytes", id: 4 },
        g: { type: "GraphProto", id: 6 },
        ints: { rule: "repeated", type: "int64", id: 8 },
        type: { type: "int32", id: 20 },
      },
    },
    NodeProto: {
      fields: {
        input: { rule: "repeated", type: "string", id: 1 },
        output: { rule: "repeated", type: "string", id: 2 },
        name: { type: "string", id: 3 },
        opType: { type: "string", id: 4 },
        attribute: { rule: "repeated", type: "AttributeProto", id: 5 },
      },
    },
    TensorProto: {
      fields: {
        dims: { rule: "repeated", type: "int64", id: 1 },
        dataType: { type: "int32", id: 2 },
        name: { type: "string", id: 8 },
        rawData: { type: "bytes", id: 9 },
      },
    },
    Dimension: {
      oneofs: { value: { oneof: ["dimValue", "dimParam"] } },
      fields: { dimValue: { type: "int64", id: 1 }, dimParam: { type: "string", id: 2 } },
    },
    TensorShapeProto: { fields: { dim: { rule: "repeated", type: "Dimension", id: 1 } } },
    TensorTypeProto: { fields: { elemType: { type: "int32", id: 1 }, shape: { type: "TensorShapeProto", id: 2 } } },
    TypeProto: { fields: { tensorType: { type: "TensorTypeProto", id: 1 } } },
    ValueInfoProto: { fields: { name: { type: "string", id: 1 }, type: { type: "TypeProto", id: 2 } } },
    GraphProto: {
      fields: {
        node: { rule: "repeated", type: "NodeProto", id: 1 },
        name: { type: "string", id: 2 },
        initializer: { rule: "repeated", type: "TensorProto", id: 5 },
        input: { rule: "repeated", type: "ValueInfoProto", id: 11 },
        output: { rule: "repeated", type: "ValueInfoProto", id: 12 },
      },
    },
    OperatorSetIdProto: { fields: { domain: { type: "string", id: 1 }, version: { type: "int64", id: 2 } } },
    ModelProto: {
      fields: {
        irVersion: { type: "int64", id: 1 },
        producerName: { type: "string", id: 2 },
        graph: { type: "GraphProto", id: 7 },
        opsetImport: { rule: "repeated", type: "OperatorSetIdProto", id: 8 },
      },
    },
  },
});
const ModelProto = root.lookupType("ModelProto");

/** @returns a complete ONNX model, as it would stand in a file */
export function encodeOnnxModel(graph: GraphProto): Uint8Array {
  const model = {
    irVersion: IR_VERSION,
    producerName: "polyrnn",
    graph,
    opsetImport: [{ domain: "", version: ONNX_OPSET }],
  };
  const problem = ModelProto.verify(model);
  if (problem !== null) throw new Error(`ONNX graph ${graph.name}: ${problem}`);
  return ModelProto.encode(model).finish();
}

export function intAttribute(name: string, value: number): AttributeProto {
  return { name, type: ATTRIBUTE_TYPE.int, i: value };
}
export function intsAttribute(name: string, values: readonly number[]): AttributeProto {
  return { name, type: ATTRIBUTE_TYPE.ints, ints: values };
}
export function stringAttribute(name: string, value: string): AttributeProto {
  return { name, type: ATTRIBUTE_TYPE.string, s: new TextEncoder().encode(value) };
}
export function graphAttribute(name: string, value: GraphProto): AttributeProto {
  return { name, type: ATTRIBUTE_TYPE.graph, g: value };
}

/** Bytes of a tensor as ONNX wants them: little-endian, as every platform Node runs on. */
export function tensorProto(
  name: string,
  dims: readonly number[],
  values: Float32Array | Int32Array | BigInt64Array,
): TensorProto {
  return {
    name,
    dims,
    dataType:
      values instanceof Float32Array
        ? DATA_TYPE.float
        : values instanceof Int32Array
          ? DATA_TYPE.int32
          : DATA_TYPE.int64,
    rawData: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  };
}

/** @param dims a number, or the name of a free dimension ("batch") */
export function valueInfo(name: string, type: DataType, dims: readonly (number | string)[]): ValueInfoProto {
  const dim = dims.map((d): Dimension => (typeof d === "number" ? { dimValue: d } : { dimParam: d }));
  return { name, type: { tensorType: { elemType: DATA_TYPE[type], shape: { dim } } } };
}
