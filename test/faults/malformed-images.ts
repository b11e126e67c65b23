/**
 * Image files that promise what they do not hold: headers of gigapixels, cut and damaged bytes, other files under an
 * image's name.
 */
import { crc32, deflateSync } from "node:zlib";
import type { Random } from "../../src/random.js";

type Damage = (random: Random, bytes: Buffer) => Buffer;

const SIDES = [0, 1, 48, 16383, 16384, 20_000, 65_535, 100_000, 2 ** 20, 2 ** 31 - 1, 2 ** 32 - 1];

export function hostileImage(random: Random, photograph: Buffer, damage: Damage): Buffer {
  const width = random.pick(SIDES),
    height = random.pick(SIDES);
  switch (random.integer(10)) {
    case 0:
      return damage(random, photograph);
    case 1:
      return photograph.subarray(0, random.integer(photograph.length));
    case 2:
      return png(width, height, deflateSync(Buffer.alloc(random.integer(100_000))));
    case 3:
      return damage(random, png(48, 32, deflateSync(Buffer.alloc((48 * 3 + 1) * 32, 7))));
    case 4:
      return jpegOfSize(photograph, width & 0xffff, height & 0xffff);
    case 5:
      return gif(width & 0xffff, height & 0xffff);
    case 6:
      return webp(width & 0x3fff, height & 0x3fff);
    case 7:
      return tiff(width, height);
    case 8:
      return Buffer.from(
        random.pick([
          '<svg xmlns="http://www.w3.org/2000/svg" width="99999" height="99999"><image href="../../canary.jpg"/></svg>',
          '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><svg xmlns="http://www.w3.org/2000/svg"><text>&b;</text></svg>',
          "#!/bin/sh\nexit 1\n",
          "%PDF-1.4\n",
          "",
          "P6\n99999 99999\n255\n",
          "#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 99999 +X 99999\n",
          "\u0000".repeat(5000),
        ]),
      );
    default:
      return png(
        48,
        32,
        deflateSync(Buffer.alloc((48 * 3 + 1) * 32, 7)),
        chunk("zTXt", Buffer.concat([Buffer.from("a\0\0"), deflateSync(Buffer.alloc(30_000_000))])),
      );
  }
}

function chunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  return Buffer.concat([uint32(data.length), body, uint32(crc32(body))]);
}

/** 8 bits, RGB; the header's checksum is right, so that its size is believed. */
function png(width: number, height: number, data: Uint8Array, extra: Uint8Array = Buffer.alloc(0)): Buffer {
  const header = Buffer.concat([uint32(width), uint32(height), Buffer.from([8, 2, 0, 0, 0])]);
  return Buffer.concat([
    Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
    chunk("IHDR", header),
    extra,
    chunk("IDAT", data),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

/** The photograph, its frame header claiming another size. */
function jpegOfSize(photograph: Buffer, width: number, height: number): Buffer {
  const jpeg = Buffer.from(photograph);
  for (let at = 2; at + 9 < jpeg.length && jpeg[at] === 0xff; at += 2 + jpeg.readUInt16BE(at + 2)) {
    if (jpeg[at + 1]! < 0xc0 || jpeg[at + 1]! > 0xc2) continue;
    jpeg.writeUInt16BE(height, at + 5);
    jpeg.writeUInt16BE(width, at + 7);
    break;
  }
  return jpeg;
}

function gif(width: number, height: number): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt16LE(width, 0);
  size.writeUInt16LE(height, 2);
  return Buffer.concat([
    Buffer.from("GIF89a"),
    size,
    Buffer.from([0x80, 0, 0, 0, 0, 0, 255, 255, 255, 0x2c, 0, 0, 0, 0]),
    size,
    Buffer.from([0, 2, 2, 0x4c, 1, 0, 0x3b]),
  ]);
}

/** An extended header with the canvas it promises, no picture. */
function webp(width: number, height: number): Buffer {
  const body = Buffer.alloc(18);
  body.write("VP8X", 0, "latin1");
  body.writeUInt32LE(10, 4);
  body.writeUIntLE(Math.max(0, width - 1), 12, 3);
  body.writeUIntLE(Math.max(0, height - 1), 15, 3);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(4 + body.length);
  return Buffer.concat([Buffer.from("RIFF"), size, Buffer.from("WEBP"), body]);
}

/** Uncompressed grey in one strip that the file does not hold. */
function tiff(width: number, height: number): Buffer {
  const entries: [number, number, number][] = [
    [256, 4, width],
    [257, 4, height],
    [258, 3, 8],
    [259, 3, 1],
    [262, 3, 1],
    [273, 4, 8],
    [277, 3, 1],
    [278, 4, height],
    [279, 4, 2 ** 32 - 1],
  ];
  const directory = Buffer.alloc(2 + entries.length * 12 + 4);
  directory.writeUInt16LE(entries.length);
  entries.forEach(([tag, type, value], i) => {
    directory.writeUInt16LE(tag, 2 + i * 12);
    directory.writeUInt16LE(type, 4 + i * 12);
    directory.writeUInt32LE(1, 6 + i * 12);
    directory.writeUInt32LE(value >>> 0, 10 + i * 12);
  });
  return Buffer.concat([Buffer.from([0x49, 0x49, 42, 0, 8, 0, 0, 0]), directory]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}
