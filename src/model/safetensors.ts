/**
 * Safetensors files: 8 bytes of header length (little-endian), a JSON header, then the tensors' bytes. Source:
 * https://github.com/huggingface/safetensors, section "Format". A model file comes from outside: every number in its
 * header is checked before use, and nothing is allocated because the header says so. Values are little-endian, as is
 * every platform the engines exist for, and are viewed in place.
 */
import { createHash } from "node:crypto";
import { count } from "../count.js";
import type { PolyrnnError } from "../errors.js";
import { cannotWrite, missingInput, reasonOf, unavailable } from "../errors.js";
import { recognize } from "../files/recognize.js";
import { openRegularFile } from "../files/regular-file.js";
import { describeValue, isJsonObject, parseForeignJson } from "../foreign.js";
import { bfloatsToFloats, floatsToHalves, halvesToFloats } from "./float16.js";

/** Bytes per element of every type the format knows with whole bytes. */
const DTYPE_BYTES: ReadonlyMap<string, number> = new Map([
  ["F64", 8],
  ["F32", 4],
  ["F16", 2],
  ["BF16", 2],
  ["I64", 8],
  ["I32", 4],
  ["I16", 2],
  ["I8", 1],
  ["U64", 8],
  ["U32", 4],
  ["U16", 2],
  ["U8", 1],
  ["BOOL", 1],
]);

/** VGG-16 with its dense layers is 0.55 GB; beyond this a file is not one of ours. */
const MAX_FILE_BYTES = 2 ** 31 - 1;
/** A thousand tensors need 0.1 MB. */
const MAX_HEADER_BYTES = 10_000_000;
const READ_BYTES = 1 << 20;
const REFETCH = "The file is damaged or is not a safetensors file. Fetch or write it again.";

/** One tensor as stored; `bytes` is a view into the file's bytes. */
export interface StoredTensor {
  readonly dtype: string;
  /** Outermost first, row-major. */
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export interface SafetensorsFile {
  /** In the order of the file's bytes. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: ReadonlyMap<string, string>;
}

/** A tensor to be computed with or written: row-major values, shape outermost first. */
export interface WeightTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/**
 * Reads a whole file, its hash taken from the same bytes that are parsed.
 * @throws E_MISSING when it cannot be opened, E_UNAVAILABLE when it is not a sound safetensors file
 */
export async function readSafetensors(
  path: string,
): Promise<SafetensorsFile & { readonly sha256: string; readonly byteLength: number }> {
  const { bytes, sha256 } = await readAndHash(path);
  return { ...parseSafetensors(bytes, path), sha256, byteLength: bytes.byteLength };
}

/**
 * Whole file and its sha256 (hex), one pass.
 * @throws E_MISSING, or E_UNAVAILABLE above 2 GiB
 */
export async function readAndHash(path: string): Promise<{ readonly bytes: Uint8Array; readonly sha256: string }> {
  const file = await openRegularFile(path).catch((error: unknown) => {
    throw missingInput(
      `${path}: expected a safetensors file but it cannot be opened (${reasonOf(error)})`,
      "Check the path and its permissions.",
      error,
    );
  });
  try {
    const { size } = await file.stat();
    if (size > MAX_FILE_BYTES) throw bad(path, `at most ${MAX_FILE_BYTES} bytes`, `${size}`);
    const bytes = new Uint8Array(size);
    const hash = createHash("sha256");
    let position = 0;
    while (position < size) {
      const { bytesRead } = await file.read(bytes, position, Math.min(READ_BYTES, size - position), position);
      if (bytesRead === 0) throw bad(path, count(size, "byte"), `${position}: it became shorter while it was read`);
      hash.update(bytes.subarray(position, position + bytesRead));
      position += bytesRead;
    }
    return { bytes, sha256: hash.digest("hex") };
  } catch (error) {
    if (error instanceof Error && "syscall" in error) {
      throw missingInput(
        `${path}: expected a readable file (${reasonOf(error)})`,
        "Check the path and its permissions.",
        error,
      );
    }
    throw error;
  } finally {
    await file.close();
  }
}

/** @param where name of the file, for messages */
export function parseSafetensors(bytes: Uint8Array, where: string): SafetensorsFile {
  refuseForeign(bytes, where);
  if (bytes.byteLength < 8) throw bad(where, "at least 8 bytes", `${bytes.byteLength}`);
  const headerBytes = headerLength(bytes);
  const limit = Math.min(MAX_HEADER_BYTES, bytes.byteLength - 8);
  if (headerBytes > BigInt(limit))
    throw bad(where, `a header of at most ${count(limit, "byte")}`, `a header length of ${headerBytes}`);
  const dataStart = 8 + Number(headerBytes);
  const header = parseHeader(bytes.subarray(8, dataStart), where);
  const data = bytes.subarray(dataStart);
  const metadata = new Map<string, string>();
  const entries: (Entry & { name: string })[] = [];
  for (const [name, value] of Object.entries(header)) {
    if (name === "__metadata__") readMetadata(value, metadata, where);
    else entries.push({ name, ...readEntry(value, data.byteLength, `${where}: tensor ${describe(name)}`) });
  }
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkCoverage(entries, data.byteLength, where);
  const tensors = new Map(
    entries.map(({ name, dtype, shape, begin, end }) => [name, { dtype, shape, bytes: data.subarray(begin, end) }]),
  );
  return { tensors, metadata };
}

/** A header begins with its length, which every other known file would begin with terabytes of. */
const LEAST_FOREIGN_LENGTH = 2n ** 40n;
const FROM_PYTHON = "Write the weights with the safetensors package, which PyTorch, Keras and NumPy have a part of.";
/** Files that weights come in. */
const WEIGHT_FILES: readonly string[] = ["a zip file", "an HDF5 file", "a NumPy file", "a Python pickle"];

/** @throws E_UNAVAILABLE for a file of another kind, with its name. Asked before the hash: that one would be wrong, too */
export function refuseForeign(bytes: Uint8Array, where: string): void {
  const isLength = bytes.byteLength >= 8 && headerLength(bytes) < LEAST_FOREIGN_LENGTH;
  const found = isLength ? undefined : recognize(bytes);
  if (found === undefined) return;
  const advice = WEIGHT_FILES.includes(found.what)
    ? FROM_PYTHON
    : found.kind === "any"
      ? found.advice
      : "Name the safetensors file itself.";
  throw unavailable(`${where}: expected a safetensors file but received ${found.what}`, advice);
}

function headerLength(bytes: Uint8Array): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
}

function parseHeader(bytes: Uint8Array, where: string): object {
  let header: unknown;
  try {
    header = parseForeignJson(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw bad(where, "a JSON header", `text that is none (${reasonOf(error)})`, error);
  }
  if (!isJsonObject(header)) throw bad(where, "a JSON object as header", describe(header));
  return header;
}

function readMetadata(value: unknown, into: Map<string, string>, where: string): void {
  if (!isJsonObject(value)) throw bad(where, "__metadata__ to be an object of strings", describe(value));
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== "string") throw bad(where, `__metadata__ ${describe(key)} to be a string`, describe(text));
    into.set(key, text);
  }
}

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** @param dataBytes bytes behind the header, which every tensor must lie within */
function readEntry(value: unknown, dataBytes: number, where: string): Entry {
  if (!isJsonObject(value)) throw bad(where, "an object with dtype, shape and data_offsets", describe(value));
  const { dtype, shape, data_offsets: offsets } = value;
  const size = typeof dtype === "string" ? DTYPE_BYTES.get(dtype) : undefined;
  if (typeof dtype !== "string" || size === undefined)
    throw bad(where, `dtype to be one of ${[...DTYPE_BYTES.keys()].join(", ")}`, describe(dtype));
  if (!isWholeNumbers(shape)) throw bad(where, "shape to be a list of whole numbers from 0", describe(shape));
  if (!isWholeNumbers(offsets) || offsets.length !== 2)
    throw bad(where, "data_offsets to be two whole numbers", describe(offsets));
  const [begin, end] = [offsets[0]!, offsets[1]!];
  if (begin > end || end > dataBytes) throw bad(where, `data_offsets within 0..${dataBytes}`, describe(offsets));
  const expected = shape.reduce((product, length) => product * length, size);
  if (expected !== end - begin)
    throw bad(where, `${count(expected, "byte")} for ${dtype} ${describe(shape)}`, `${end - begin}`);
  return { dtype, shape, begin, end };
}

/**
 * The format allows neither holes nor overlaps; a name given twice shows up as a hole, because JSON keeps only the
 * last.
 */
function checkCoverage(sorted: readonly (Entry & { name: string })[], dataBytes: number, where: string): void {
  let covered = 0;
  for (const { name, begin, end } of sorted) {
    if (begin !== covered) {
      const fault = begin < covered ? "they overlap" : "bytes between belong to no tensor";
      const expected = `to start at byte ${covered}, where the one before ends`;
      throw bad(`${where}: tensor ${describe(name)}`, expected, `${begin}: ${fault}`);
    }
    covered = end;
  }
  if (covered !== dataBytes) throw bad(where, `${count(covered, "byte")} of tensors`, `${dataBytes}`);
}

/**
 * Values of a stored tensor as float32. Not to be written to: those of F32 are a view of the file's bytes where their
 * position allows it. Exact for F32, F16, BF16 and U8; integers must be small enough to be exact.
 * @param where names the tensor in messages
 */
export function tensorValues(tensor: StoredTensor, where: string): Float32Array {
  const { buffer, byteOffset, byteLength } = tensor.bytes;
  if (tensor.dtype === "F32" && byteOffset % 4 === 0) return new Float32Array(buffer, byteOffset, byteLength / 4);
  const aligned = buffer.slice(byteOffset, byteOffset + byteLength); // a view at an odd offset is not allowed
  switch (tensor.dtype) {
    case "F32":
      return new Float32Array(aligned);
    case "F16":
      return halvesToFloats(new Uint16Array(aligned));
    case "BF16":
      return bfloatsToFloats(new Uint16Array(aligned));
    case "U8":
      return Float32Array.from(new Uint8Array(aligned));
    case "I32":
      return exact(new Int32Array(aligned), where);
    case "I64":
      return exact(Array.from(new BigInt64Array(aligned), Number), where);
    default:
      throw bad(where, "dtype F32, F16 or BF16", tensor.dtype);
  }
}

function exact(integers: ArrayLike<number>, where: string): Float32Array {
  const floats = Float32Array.from(integers);
  const lost = floats.findIndex((value, i) => value !== integers[i]);
  if (lost >= 0) throw bad(where, "integers up to 2^24", `${integers[lost]!}`);
  return floats;
}

export interface SerializeOptions {
  readonly dtype: "F32" | "F16";
  readonly metadata?: Readonly<Record<string, string>>;
}

/**
 * Bytes of a file with these tensors, sorted by name, so that equal weights give equal bytes.
 * @throws E_WRITE for a shape that does not fit its values, and for values F16 cannot hold (65520 and above)
 */
export function serializeSafetensors(
  tensors: ReadonlyMap<string, WeightTensor>,
  options: SerializeOptions,
): Uint8Array {
  const sorted = [...tensors].sort(([a], [b]) => (a < b ? -1 : 1));
  // A null prototype and defined properties: a tensor may be called "__proto__".
  const header = Object.create(null) as Record<string, unknown>;
  if (options.metadata) header["__metadata__"] = options.metadata;
  const parts: Uint8Array[] = [];
  let position = 0;
  for (const [name, tensor] of sorted) {
    const bytes = encode(name, tensor, options.dtype);
    header[name] = { dtype: options.dtype, shape: tensor.shape, data_offsets: [position, position + bytes.byteLength] };
    parts.push(bytes);
    position += bytes.byteLength;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const padded = Math.ceil(json.byteLength / 8) * 8; // the tensors start at a multiple of 8
  const file = new Uint8Array(8 + padded + position).fill(0x20, 8, 8 + padded);
  new DataView(file.buffer).setBigUint64(0, BigInt(padded), true);
  file.set(json, 8);
  let offset = 8 + padded;
  for (const bytes of parts) {
    file.set(bytes, offset);
    offset += bytes.byteLength;
  }
  return file;
}

function encode(name: string, { shape, values }: WeightTensor, dtype: "F32" | "F16"): Uint8Array {
  const count = shape.reduce((product, length) => product * length, 1);
  if (count !== values.length) {
    throw cannotWrite(
      `tensor ${JSON.stringify(name)}: expected ${count} values for ${JSON.stringify(shape)} ` +
        `but received ${values.length}`,
      "This is a mistake of the program that made the tensor.",
    );
  }
  if (dtype === "F32") return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const lost = values.find((value) => Math.abs(value) >= 65520 && Number.isFinite(value));
  if (lost !== undefined) {
    throw cannotWrite(
      `tensor ${JSON.stringify(name)}: expected values F16 can hold but received ${lost}`,
      "Write the weights as F32.",
    );
  }
  return new Uint8Array(floatsToHalves(values).buffer);
}

function bad(where: string, expected: string, received: string, cause?: unknown): PolyrnnError {
  return unavailable(`${where}: expected ${expected} but received ${received}`, REFETCH, cause);
}

function isWholeNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && (item as number) >= 0);
}

/** A value of the header for a message, cut short: it may be megabytes. */
function describe(value: unknown): string {
  return describeValue(value);
}

/** A plain loop: `findIndex` takes half a second for the 34 million values of vgg16. @returns -1 for none */
export function firstNotFinite(values: Float32Array): number {
  for (let at = 0; at < values.length; at++) if (!Number.isFinite(values[at]!)) return at;
  return -1;
}
