import { gzipSync } from "node:zlib";
import sharp from "sharp";
import { expect, test } from "vitest";
import { recognize, whyNotJson } from "../../src/files/recognize.js";

const latin = (text: string): Uint8Array => Buffer.from(text, "latin1");
const bmp = latin(`BM\x36\x19\x01\0\0\0\0\0\x36\0\0\0\x28\0\0\0\xc8\0\0\0\x78\0\0\0`);

test.each([
  { bytes: latin("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"), what: "a Git LFS pointer" },
  { bytes: gzipSync("{}"), what: "a gzip file" },
  { bytes: latin("PK\x03\x04\x14\0"), what: "a zip file" },
  { bytes: Buffer.from("\ufeff{}", "utf16le"), what: "text in UTF-16" },
  { bytes: Buffer.from('{"images": []}', "utf16le"), what: "text in UTF-16" },
  { bytes: latin(""), what: "an empty file" },
  { bytes: latin("ImageID,Source,LabelName,XMin\n1,x,2,0.5\n"), what: "a CSV file" },
  { bytes: latin("a;b;c\n1;2;3\n"), what: "a CSV file" },
  { bytes: latin("a\tb\tc\n1\t2\t3\n"), what: "a TSV file" },
  { bytes: latin("<annotation>\n<folder>VOC2007</folder>"), what: "an XML file" },
  { bytes: latin('\xef\xbb\xbf<?xml version="1.0"?><annotations>'), what: "an XML file" },
  { bytes: latin("<!DOCTYPE html><html>"), what: "an HTML page" },
  { bytes: latin("\n<HTML><head>"), what: "an HTML page" },
  { bytes: latin("names:\n  0: person\n"), what: "a YAML file" },
  { bytes: latin("---\ntrain: images\n"), what: "a YAML file" },
  { bytes: latin('{"id": 1}\n{"id": 2}\n'), what: "one JSON object per line" },
  { bytes: latin("0 0.5 0.5 0.2 0.2\n"), what: "rows of numbers, as YOLO labels are" },
  { bytes: bmp, what: "a BMP image" },
  { bytes: latin("P5\n200 120\n255\nokuqpog"), what: "a PNM image (PBM, PGM, PPM or PAM)" },
  { bytes: latin("P6 # made by\n2 2\n255\n"), what: "a PNM image (PBM, PGM, PPM or PAM)" },
  { bytes: latin("PF\n2 2\n-1.0\n"), what: "a PFM image" },
  { bytes: latin("\0\0\0\x0cjP  \r\n\x87\n"), what: "a JPEG 2000 image" },
  { bytes: latin("\xff\x4f\xff\x51\0"), what: "a JPEG 2000 image" },
  { bytes: latin("\xff\x0a\x00"), what: "a JPEG XL image" },
  { bytes: latin("\0\0\0\x18ftypheic\0\0\0\0"), what: "a HEIC image" },
  { bytes: latin("\0\0\0\x18ftypcrx \0\0\0\0"), what: "a raw photograph of a camera (Canon)" },
  { bytes: latin("\0\0\0\x18ftypisom\0\0\0\0"), what: "a video" },
  { bytes: latin("8BPS\0\x01"), what: "a Photoshop file" },
  { bytes: latin("\x80\x02\x8a\x0al\xfc"), what: "a Python pickle" },
  { bytes: latin("\x76\x2f\x31\x01\x02"), what: "an OpenEXR image" },
  { bytes: latin(`${"\0".repeat(128)}DICM`), what: "a DICOM file" },
])("$what is named", ({ bytes, what }) => {
  expect(recognize(bytes)?.what).toBe(what);
});

test.each([["Bmx is a word"], ["BMW, the car"], ["hello there"], ["\x01\x02\x03\x04"], ["7"]])(
  "%j is no bitmap",
  (text) => {
    expect(recognize(latin(text))?.what).not.toBe("a BMP image");
  },
);

test("what the image library writes is named as what it is", async () => {
  const picture = sharp({ create: { width: 2, height: 2, channels: 3, background: "red" } });
  expect(recognize(await picture.jpeg().toBuffer())?.what).toBe("a JPEG image");
  expect(recognize(await picture.png().toBuffer())?.what).toBe("a PNG image");
  expect(recognize(await picture.webp().toBuffer())?.what).toBe("a WebP image");
  expect(recognize(await picture.tiff().toBuffer())?.what).toBe("a TIFF image");
  expect(recognize(await picture.avif().toBuffer())?.what).toBe("an AVIF image");
});

test("JSON readers say what was received, else what the parser said", () => {
  const why = (text: string): unknown => whyNotJson(latin(text), new Error("Unexpected token"), "Write JSON.");
  expect(why("model: mobile\n")).toEqual({ why: "received a YAML file", hint: "Write JSON." });
  expect(why("{oops")).toEqual({ why: "Unexpected token", hint: "Write JSON." });
  expect(why("\x1f\x8b\x08")).toEqual({ why: "received a gzip file", hint: "Unpack it first." });
  expect(why("version https://git-lfs.github.com/spec/v1\n")).toEqual({
    why: "received a Git LFS pointer",
    hint: "Fetch the file itself with: git lfs pull",
  });
});
