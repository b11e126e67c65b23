/**
 * PNG files whose values are numbers and not colors: class numbers with a palette (8 bits) and gray values of 8 or 16
 * bits. sharp chooses and orders a palette by itself, so that a class would not keep its number.
 *
 * Rows are compressed as they come and go to the disk in pieces, so that memory holds no second image. Every row is
 * stored as it is (filter 0), which suits large even areas. Source: W3C, Portable Network Graphics (third edition),
 * sections 5, 7 and 11.
 */
import { createDeflate, crc32 } from "node:zlib";
import { AtomicFile } from "../files/atomic-file.js";

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
const GRAY = 0;
const PALETTE = 3;
/** Rows are handed over in pieces of about this many bytes. */
const PIECE_BYTES = 1 << 20;

export interface LabelImage {
  readonly width: number;
  readonly height: number;
  /** Row by row. One byte or two a pixel are the PNG's 8 or 16 bits. */
  readonly values: Uint8Array | Uint16Array;
  /** "#RRGGBB" of the values 0, 1, ...; at most 256, for bytes only. Absent: gray. */
  readonly palette?: readonly string[];
}

/** Writes a whole file; makes missing folders. @throws E_WRITE; an older file of that name is untouched then */
export async function writePng(path: string, image: LabelImage): Promise<void> {
  const file = await AtomicFile.open(path);
  try {
    await file.writeBytes(SIGNATURE);
    await file.writeBytes(chunk("IHDR", header(image)));
    if (image.palette !== undefined) await file.writeBytes(chunk("PLTE", paletteBytes(image.palette)));
    for await (const piece of compressedRows(image)) await file.writeBytes(chunk("IDAT", piece));
    await file.writeBytes(chunk("IEND", new Uint8Array(0)));
    await file.commit();
  } catch (error) {
    await file.abort();
    throw error;
  }
}

/** Length, type, data, checksum of type and data. */
function chunk(type: string, data: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(data.length + 12);
  bytes.writeUInt32BE(data.length, 0);
  bytes.write(type, 4, "latin1");
  bytes.set(data, 8);
  bytes.writeUInt32BE(crc32(bytes.subarray(4, data.length + 8)), data.length + 8);
  return bytes;
}

function header({ width, height, values, palette }: LabelImage): Uint8Array {
  const bytes = Buffer.alloc(13); // compression, filter and interlace methods are 0
  bytes.writeUInt32BE(width, 0);
  bytes.writeUInt32BE(height, 4);
  bytes[8] = 8 * values.BYTES_PER_ELEMENT;
  bytes[9] = palette === undefined ? GRAY : PALETTE;
  return bytes;
}

function paletteBytes(colors: readonly string[]): Uint8Array {
  return Buffer.from(colors.map((color) => color.slice(1)).join(""), "hex");
}

async function* compressedRows(image: LabelImage): AsyncGenerator<Uint8Array> {
  const deflate = createDeflate({ level: 6 });
  const feeding = feed(deflate, image);
  for await (const piece of deflate) yield piece as Buffer;
  await feeding;
}

async function feed(deflate: ReturnType<typeof createDeflate>, { width, height, values }: LabelImage): Promise<void> {
  const rowBytes = 1 + width * values.BYTES_PER_ELEMENT;
  const rows = Math.max(1, Math.floor(PIECE_BYTES / rowBytes));
  for (let y = 0; y < height; y += rows) {
    const count = Math.min(rows, height - y);
    const piece = Buffer.alloc(count * rowBytes);
    for (let row = 0; row < count; row++)
      putRow(piece, row * rowBytes + 1, values.subarray((y + row) * width, (y + row + 1) * width));
    if (!deflate.write(piece)) await new Promise((resolve) => deflate.once("drain", resolve));
  }
  deflate.end();
}

/** Two bytes go out with the higher one first. */
function putRow(piece: Buffer, at: number, row: Uint8Array | Uint16Array): void {
  if (row instanceof Uint8Array) piece.set(row, at);
  else for (let x = 0; x < row.length; x++) piece.writeUInt16BE(row[x]!, at + 2 * x);
}
