/**
 * What a file is that is not what was asked for, told by its first bytes: for messages that name it and say what to do.
 * Nothing is decided here; a reader asks once it has failed. Sources: the formats' own signatures, as `file` lists them.
 */

import { reasonOf } from "../errors.js";

export interface Recognized {
  /** "a BMP image" */
  readonly what: string;
  /** A sentence: what to do about it, where a file of this kind could have been meant. */
  readonly advice: string;
  /** "image": where data were asked for, another file was meant; "data": the other way round. */
  readonly kind: "image" | "data" | "any";
}

/** Bytes that a caller should hand over; DICOM has its signature at 128. */
export const RECOGNIZED_BYTES = 512;

const FETCH_AGAIN = "Fetch the file itself; the download failed or asks for a login.";
const UNPACK = "Unpack it first.";
const CONVERT = "Convert it to PNG or JPEG first.";
const EXPORT = "Export it as JSON.";

type Signature = readonly [what: string, advice: string, bytes: string, at?: number];

/** Signatures as Latin-1 text. */
const SIGNATURES: readonly Signature[] = [
  ["a Git LFS pointer", "Fetch the file itself with: git lfs pull", "version https://git-lfs.github.com/spec/"],
  ["a Git LFS pointer", "Fetch the file itself with: git lfs pull", "version https://hawser.github.com/spec/"],
  ["a gzip file", UNPACK, "\x1f\x8b"],
  ["a zip file", UNPACK, "PK\x03\x04"],
  ["an empty zip file", UNPACK, "PK\x05\x06"],
  ["a bzip2 file", UNPACK, "BZh"],
  ["an xz file", UNPACK, "\xfd7zXZ\0"],
  ["a Zstandard file", UNPACK, "\x28\xb5\x2f\xfd"],
  ["a 7z file", UNPACK, "7z\xbc\xaf\x27\x1c"],
  ["a RAR file", UNPACK, "Rar!\x1a\x07"],
  ["a tar file", UNPACK, "ustar", 257],
  ["text in UTF-16", "Save it as UTF-8.", "\xff\xfe"],
  ["text in UTF-16", "Save it as UTF-8.", "\xfe\xff"],
  ["a JPEG 2000 image", CONVERT, "\0\0\0\x0cjP  \r\n"],
  ["a JPEG 2000 image", CONVERT, "\xff\x4f\xff\x51"],
  ["a JPEG XL image", CONVERT, "\0\0\0\x0cJXL \r\n"],
  ["a JPEG XL image", CONVERT, "\xff\x0a"],
  ["a JPEG image", CONVERT, "\xff\xd8\xff"],
  ["a PNG image", CONVERT, "\x89PNG\r\n\x1a\n"],
  ["a GIF image", CONVERT, "GIF8"],
  ["a raw photograph of a camera (Canon)", CONVERT, "CR\x02\0", 8],
  ["a TIFF image", CONVERT, "II*\0"],
  ["a TIFF image", CONVERT, "MM\0*"],
  ["a Photoshop file", CONVERT, "8BPS"],
  ["an OpenEXR image", CONVERT, "\x76\x2f\x31\x01"],
  ["a Radiance HDR image", CONVERT, "#?RADIANCE"],
  ["a DICOM file", CONVERT, "DICM", 128],
  ["a FITS image", CONVERT, "SIMPLE  ="],
  ["a DirectDraw surface", CONVERT, "DDS "],
  ["a Windows icon", CONVERT, "\0\0\x01\0"],
  ["a raw photograph of a camera (Fuji)", CONVERT, "FUJIFILMCCD-RAW"],
  ["a PDF file", CONVERT, "%PDF-"],
  ["a NumPy file", CONVERT, "\x93NUMPY"],
  ["an HDF5 file", CONVERT, "\x89HDF\r\n\x1a\n"],
  ["a Python pickle", EXPORT, "\x80\x04\x95"],
  ["a Python pickle", EXPORT, "\x80\x05\x95"],
  // How PyTorch began its files before they were zip files.
  ["a Python pickle", EXPORT, "\x80\x02\x8a\x0a"],
  ["a Parquet file", EXPORT, "PAR1"],
  ["an SQLite database", EXPORT, "SQLite format 3\0"],
  ["a Matroska or WebM video", "Cut it into single images first.", "\x1a\x45\xdf\xa3"],
];

/** Brands of files that begin with an ISO box "ftyp". */
const BRANDS: readonly (readonly [RegExp, string])[] = [
  [/^(?:heic|heix|heim|heis|hevc|hevx|mif1|msf1)/, "a HEIC image"],
  [/^(?:avif|avis)/, "an AVIF image"],
  [/^crx /, "a raw photograph of a camera (Canon)"],
  [/^(?:isom|iso[2-9]|mp4[12]|avc1|qt {2}|M4V )/, "a video"],
];

/** @param bytes the first of the file; RECOGNIZED_BYTES are enough. @returns undefined for what is not known here */
export function recognize(bytes: Uint8Array): Recognized | undefined {
  const start = Buffer.from(bytes.subarray(0, RECOGNIZED_BYTES)).toString("latin1");
  if (start.length === 0) return { what: "an empty file", advice: "Fetch or export it again.", kind: "any" };
  for (const [what, advice, signature, at = 0] of SIGNATURES)
    if (start.startsWith(signature, at))
      return { what, advice, kind: advice === CONVERT ? "image" : advice === EXPORT ? "data" : "any" };
  if (start.startsWith("ftyp", 4)) {
    const brand = BRANDS.find(([pattern]) => pattern.test(start.slice(8, 12)));
    if (brand !== undefined) return image(brand[1]);
  }
  if (start.startsWith("RIFF") && start.startsWith("WEBP", 8)) return image("a WebP image");
  if (start.startsWith("RIFF") && start.startsWith("AVI ", 8))
    return { what: "a video", advice: "Cut it into single images first.", kind: "image" };
  // Two letters are few: the sizes behind them have to agree.
  if (start.startsWith("BM") && isBitmapHeader(bytes)) return image("a BMP image");
  if (/^P[1-7][\s#]/.test(start)) return image("a PNM image (PBM, PGM, PPM or PAM)");
  if (/^P[Ff]\s/.test(start)) return image("a PFM image");
  return recognizeText(start.replace(/^\xef\xbb\xbf/, ""));
}

function image(what: string): Recognized {
  return { what, advice: CONVERT, kind: "image" };
}

function data(what: string, advice: string): Recognized {
  return { what, advice, kind: "data" };
}

/** For what is read where boxes are named, and was met where they are not, or in a form that no reader knows. */
function onlyAsBoxes(what: string): string {
  return `Boxes and ground truth may be ${what}; in any other place convert it to JSON first (boxes: to COCO).`;
}

/** Offset 14 holds the size of the second header: 12, 40, 52, 56, 64, 108 or 124. */
function isBitmapHeader(bytes: Uint8Array): boolean {
  return bytes.length >= 18 && [12, 16, 40, 52, 56, 64, 108, 124].includes(bytes[14]!) && bytes[15] === 0;
}

function recognizeText(start: string): Recognized | undefined {
  // Without its mark, every other byte of it is 0.
  const isAscii = (byte: number): boolean => byte >= 0x09 && byte < 0x7f;
  const codes = Array.from(start.slice(0, 8), (character) => character.charCodeAt(0));
  if ([0, 1].some((at) => codes.length === 8 && codes.every((code, i) => (i % 2 === at ? isAscii(code) : code === 0))))
    return { what: "text in UTF-16", advice: "Save it as UTF-8.", kind: "any" };
  // eslint-disable-next-line no-control-regex -- what holds control characters is no text
  if (/[\0-\x08\x0e-\x1a\x1c-\x1f]/.test(start)) return undefined;
  const text = start.trimStart();
  if (text === "") return undefined;
  if (/^<(?:!doctype\s+html|html|head|body|script)\b/i.test(text))
    return { what: "an HTML page", advice: FETCH_AGAIN, kind: "any" };
  if (/^<svg\b/i.test(text)) return image("an SVG drawing");
  if (/^<(?:\?xml|!--|!doctype|annotations?\b|[a-z_][\w.-]*[\s>/])/i.test(text)) {
    return data("an XML file", onlyAsBoxes("XML of Pascal VOC or CVAT"));
  }
  if (/^(?:---|%YAML)/.test(text) || /^[a-z_][\w-]*:(?:\s|$)/i.test(text))
    return data("a YAML file", onlyAsBoxes("the data.yaml of a YOLO data set"));
  const [first = "", second] = text.split(/\r?\n/);
  if (/^\{.*\}\s*$/.test(first) && second !== undefined && /^\{/.test(second))
    return data("one JSON object per line", onlyAsBoxes("lines of JSON objects"));
  if (/^-?[\d.]+(?:\s+-?[\d.]+){4,}\s*$/.test(first))
    return data("rows of numbers, as YOLO labels are", onlyAsBoxes("YOLO labels in files that end in .txt"));
  for (const [separator, what] of [
    [",", "a CSV file"],
    ["\t", "a TSV file"],
    [";", "a CSV file"],
  ] as const) {
    const columns = first.split(separator).length;
    if (columns >= 3 && /^[^[{]/.test(first)) return data(what, onlyAsBoxes("a table"));
  }
  return undefined;
}

/** Why a file that was to be JSON is none, and what to do about it. */
export interface NotJson {
  /** "received a YAML file", or what the parser said. */
  readonly why: string;
  readonly hint: string;
}

/**
 * @param bytes of the file, not its text: what is no UTF-8 loses its signature as text
 * @param error of the parser
 * @param hint  for a file of no known kind, and for data of a kind that cannot have been meant
 */
export function whyNotJson(bytes: Uint8Array, error: unknown, hint: string): NotJson {
  const found = recognize(bytes);
  if (found === undefined) return { why: reasonOf(error), hint };
  return { why: `received ${found.what}`, hint: found.kind === "any" ? found.advice : hint };
}
