/**
 * Malformed inputs by the thousand, each from its seed: box files, images, model cards and weights as they come from a
 * broken program, a damaged disk or somebody who means harm. Each is written to a folder of its own and described by
 * the options of a run.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Random } from "../../src/random.js";
import type { AnnotateOptions } from "../../src/annotate/options.js";
import { count } from "./ledger.js";
import { hostileImage } from "./malformed-images.js";
import { TINY } from "./small-run.js";

export interface Place {
  /** Holds the folder of the input and, beside it, files nobody may touch. */
  readonly home: string;
  /** The only folder the run is given. */
  readonly given: string;
  /** Absolute path of a good image outside. */
  readonly canary: string;
  /** A good small JPEG. */
  readonly photograph: Buffer;
}

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type Kind = (random: Random, place: Place) => Partial<AnnotateOptions>;

export const WIDTH = 48,
  HEIGHT = 32;
const FORMATS = ["coco", "cityscapes", "labelme", "yolo-seg", "label-studio", "cvat"] as const;

/**
 * Writes input number `number` into the place.
 * @param more kinds beside those of this file
 * @returns its kind and the options of the run
 */
export function writeInput(
  number: number,
  random: Random,
  place: Place,
  more: Readonly<Record<string, Kind>> = {},
): { kind: string; options: AnnotateOptions } {
  const kinds: Readonly<Record<string, Kind>> = { ...KINDS, ...more };
  const names = Object.keys(kinds);
  const kind = names[number % names.length]!;
  const images = join(place.given, "images");
  mkdirSync(images, { recursive: true });
  writeFileSync(join(images, "a.jpg"), place.photograph);
  writeFileSync(join(images, "b.jpg"), place.photograph);
  const special = kinds[kind]!(random, place);
  return {
    kind,
    options: {
      images,
      boxes: join(place.given, "boxes.json"),
      out: join(place.given, "out"),
      formats: [random.pick(FORMATS), "coco"],
      model: TINY,
      device: "cpu",
      threads: count(2, 1), // whatever the machine has: the memory of every core beyond is no matter of the input
      batchSize: 4,
      maxSteps: 3,
      candidates: 3,
      minScore: 0,
      simplify: 0,
      categories: [],
      existing: random.next() < 0.3 ? "keep" : "predict",
      overlays: random.next() < 0.1 ? "all" : "none",
      resume: false,
      force: false,
      ...special,
    },
  };
}

function goodCoco(): { [key: string]: Json } {
  return {
    info: { description: "made" },
    images: [
      { id: 1, file_name: "a.jpg", width: WIDTH, height: HEIGHT },
      { id: 2, file_name: "b.jpg", width: WIDTH, height: HEIGHT },
    ],
    categories: [
      { id: 1, name: "one" },
      { id: 2, name: "two" },
    ],
    annotations: [
      { id: 1, image_id: 1, category_id: 1, bbox: [2, 2, 20, 20], iscrowd: 0, area: 400 },
      {
        id: 2,
        image_id: 1,
        category_id: 2,
        bbox: [10, 5, 30, 20],
        iscrowd: 0,
        segmentation: [[10, 5, 40, 5, 40, 25, 10, 25]],
      },
      {
        id: 3,
        image_id: 2,
        category_id: 1,
        bbox: [0, 0, 48, 32],
        iscrowd: 1,
        segmentation: { size: [HEIGHT, WIDTH], counts: [10, 20, WIDTH * HEIGHT - 30] },
      },
    ],
  };
}

function goodCityscapes(): { [key: string]: Json } {
  const square = (x: number): Json => [
    [x, 2],
    [x + 15, 2],
    [x + 15, 20],
    [x, 20],
  ];
  return {
    imgWidth: WIDTH,
    imgHeight: HEIGHT,
    objects: [
      { label: "car", polygon: square(2) },
      { label: "person", polygon: square(25) },
      { label: "road", polygon: square(10) },
    ],
  };
}

const HOSTILE_KEYS = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "valueOf",
  "",
  "length",
  "then",
];
export const HOSTILE_TEXTS = [
  "",
  "\0",
  "a\0b.jpg",
  "../canary.jpg",
  "..\\canary.jpg",
  "../../canary.jpg",
  "/etc/passwd",
  "C:\\windows\\win.ini",
  "file:///etc/passwd",
  "http://localhost/a.jpg",
  "\u202egpj.a",
  "a\u2066b",
  "\ud800",
  "<script>alert(1)</script>",
  "'; drop table images; --",
  "=cmd|' /C calc'!A0",
  "%2e%2e%2fcanary.jpg",
  "CON",
  "aux.jpg",
  ".",
  "..",
  "~",
  "$HOME",
  "a.jpg/",
  "./a.jpg",
  "a.jpg/../a.jpg",
  "*",
  "**/*",
  "{a,b}.jpg",
  "[a].jpg",
  "!(a).jpg",
  "\u0000\u001b[2J",
  "e\u0301".repeat(500),
  "x".repeat(4000),
  "é".repeat(4000),
  "\ufeffa.jpg",
  "NaN",
  "null",
];
export const HOSTILE_NUMBERS = [
  0,
  -0,
  -1,
  0.5,
  1e-320,
  1e308,
  -1e308,
  Number.MAX_VALUE,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  2 ** 53 + 2,
  -(2 ** 53),
  1e21,
  4294967295.5,
  16385,
  65535,
  1e9,
];
/** Not JSON, or numbers JSON.parse turns into something else. */
export const RAW_TOKENS = [
  "NaN",
  "Infinity",
  "-Infinity",
  "1e400",
  "-1e400",
  "0x10",
  "01",
  "1.",
  ".5",
  "+1",
  "1e",
  "--1",
  "None",
  "True",
  "undefined",
  "'a'",
  "1_000",
  "9".repeat(3000),
  "0." + "1".repeat(3000),
  '"\\ud800"',
  '"\\x"',
  '"\t"',
  // Deeper than recursion reaches: JSON.parse takes them, JSON.stringify does not.
  "[".repeat(100_000) + "]".repeat(100_000),
  '{"a":'.repeat(50_000) + "1" + "}".repeat(50_000),
  "[".repeat(300_000),
];

function hostileValue(random: Random): Json {
  switch (random.integer(7)) {
    case 0:
      return random.pick(HOSTILE_TEXTS);
    case 1:
      return random.pick(HOSTILE_NUMBERS);
    case 2:
      return random.pick<Json>([null, true, false, [], {}, [[]], [null], [{}], ""]);
    case 3:
      return Array.from({ length: random.integer(40) }, () => random.pick(HOSTILE_NUMBERS));
    case 4:
      return nested(random.integer(600), random.next() < 0.5);
    case 5:
      return { [random.pick(HOSTILE_KEYS)]: random.pick<Json>([{ polluted: "yes" }, [], 1, null]) };
    default:
      return random.pick(HOSTILE_TEXTS).repeat(1 + random.integer(20));
  }
}

function nested(depth: number, isObject: boolean): Json {
  let value: Json = 1;
  for (let i = 0; i < depth; i++) value = isObject ? { a: value } : [value];
  return value;
}

/** Every place in a document: its parent and key. */
function placesIn(value: Json): { parent: Json[] | { [key: string]: Json }; key: string | number }[] {
  if (typeof value !== "object" || value === null) return [];
  const keys: (string | number)[] = Array.isArray(value) ? value.map((_, i) => i) : Object.keys(value);
  return keys.flatMap((key) => [{ parent: value, key }, ...placesIn((value as { [key: string]: Json })[key]!)]);
}

function put(parent: Json[] | { [key: string]: Json }, key: string | number, value: Json): void {
  Object.defineProperty(parent, key, { value, enumerable: true, configurable: true, writable: true });
}

/** Replaces, removes or renames a few places. */
function distort(random: Random, document: Json): Json {
  for (let i = 0; i <= random.integer(3); i++) {
    const places = placesIn(document);
    if (places.length === 0) return document;
    const { parent, key } = random.pick(places);
    const action = random.integer(4);
    if (action === 0 && Array.isArray(parent)) parent.splice(Number(key), 1);
    else if (action === 0) Reflect.deleteProperty(parent, key);
    else if (action === 1 && !Array.isArray(parent)) put(parent, random.pick(HOSTILE_KEYS), parent[key]!);
    else put(parent, key, hostileValue(random));
  }
  return document;
}

/** The text with a number of it put out by a raw token. */
function withRawToken(random: Random, text: string): string {
  const numbers = [...text.matchAll(/(?<=[:[,])-?\d+/g)];
  if (numbers.length === 0) return text;
  const { index, 0: found } = random.pick(numbers);
  return text.slice(0, index) + random.pick(RAW_TOKENS) + text.slice(index + found.length);
}

/** Bytes flipped, cut out, doubled or cut off. */
export function damage(random: Random, bytes: Buffer): Buffer {
  let damaged: Buffer = Buffer.from(bytes);
  for (let i = 0; i <= random.integer(4) && damaged.length > 1; i++) {
    const at = random.integer(damaged.length),
      length = 1 + random.integer(Math.min(64, damaged.length - at));
    switch (random.integer(4)) {
      case 0:
        damaged[at] = random.integer(256);
        break;
      case 1:
        damaged = Buffer.concat([damaged.subarray(0, at), damaged.subarray(at + length)]);
        break;
      case 2:
        damaged = Buffer.concat([damaged.subarray(0, at + length), damaged.subarray(at)]);
        break;
      default:
        damaged = damaged.subarray(0, at);
    }
  }
  return damaged;
}

function writeBoxes(place: Place, content: string | Buffer): void {
  writeFileSync(join(place.given, "boxes.json"), content);
}

/** A COCO file whose first image or category carries a text. */
function withName(coco: { [key: string]: Json }, list: "images" | "categories", field: string, name: Json): string {
  put((coco[list] as { [key: string]: Json }[])[0]!, field, name);
  return JSON.stringify(coco);
}

function forgetSizes(coco: { [key: string]: Json }): void {
  for (const image of coco["images"] as { [key: string]: Json }[]) {
    Reflect.deleteProperty(image, "width");
    Reflect.deleteProperty(image, "height");
  }
}

const KINDS: Readonly<Record<string, Kind>> = {
  "JSON bytes": (random, place) => {
    writeBoxes(place, damage(random, Buffer.from(JSON.stringify(goodCoco()))));
    return {};
  },
  "JSON structure": (random, place) => {
    writeBoxes(place, JSON.stringify(distort(random, goodCoco())));
    return {};
  },
  numbers: (random, place) => {
    writeBoxes(place, withRawToken(random, JSON.stringify(goodCoco())));
    return {};
  },
  Unicode: (random, place) => {
    const bytes = Buffer.from(
      withName(
        goodCoco(),
        random.pick(["images", "categories"]),
        random.pick(["file_name", "name", "id"]),
        random.pick(HOSTILE_TEXTS),
      ),
    );
    const bad = random.pick([
      [0xff],
      [0xc0, 0xaf],
      [0xed, 0xa0, 0x80],
      [0xf4, 0x90, 0x80, 0x80],
      [0xef, 0xbb, 0xbf],
      [0x80],
    ]);
    const at = random.integer(bytes.length);
    writeBoxes(
      place,
      random.next() < 0.5 ? bytes : Buffer.concat([bytes.subarray(0, at), Buffer.from(bad), bytes.subarray(at)]),
    );
    return {};
  },
  "deep nesting": (random, place) => {
    const depth = Math.floor(10 ** (1 + 5 * random.next())),
      open = random.pick(["[", '{"a":']),
      close = open === "[" ? "]" : "}";
    const bomb = open.repeat(depth) + "1" + (random.next() < 0.7 ? close.repeat(depth) : "");
    writeBoxes(
      place,
      random.pick([
        bomb,
        JSON.stringify(goodCoco()).replace('"area":400', `"area":${bomb}`),
        JSON.stringify(goodCoco()).replace('"made"', bomb),
      ]),
    );
    return {};
  },
  "huge strings": (random, place) => {
    const text = random.pick(["x", "\u00e9", "\\u0041", "\\\\"]).repeat(Math.floor(10 ** (3 + 3.4 * random.next())));
    writeBoxes(
      place,
      JSON.stringify(goodCoco()).replace(random.pick(['made"', 'one"', 'a.jpg"', 'id"', 'annotations"']), `${text}"`),
    );
    return {};
  },
  "duplicate keys": (random, place) => {
    const text = JSON.stringify(goodCoco());
    const key = random.pick([
      "id",
      "image_id",
      "bbox",
      "file_name",
      "images",
      "annotations",
      "categories",
      "info",
      "segmentation",
    ]);
    writeBoxes(place, text.replace(`"${key}":`, `"${key}":${JSON.stringify(hostileValue(random))},"${key}":`));
    return {};
  },
  "prototype keys": (random, place) => {
    const value = JSON.stringify(
      random.pick<Json>([{ polluted: "yes" }, { id: 1, file_name: "a.jpg" }, 1, [], null, "x"]),
    );
    const at = random.pick(['"info":', '"id":1,', '"bbox":', '"file_name":', '"description":', '"name":']);
    writeBoxes(place, JSON.stringify(goodCoco()).replace(at, `"${random.pick(HOSTILE_KEYS)}":${value},${at}`));
    return random.next() < 0.2 ? { categories: [random.pick(HOSTILE_KEYS)] } : {};
  },
  "run-length bombs": (random, place) => {
    const side = (): number => random.pick([1, HEIGHT, WIDTH, 16384, 65535, 2 ** 20, 2 ** 31, 2 ** 40, 1e308, -1]);
    const counts = random.pick<() => Json>([
      () => Array.from({ length: 1 + random.integer(100_000) }, () => random.integer(3)),
      () => [2 ** 53, 2 ** 53],
      () => [WIDTH * HEIGHT],
      () => "o".repeat(random.integer(100_000)),
      () => "~".repeat(500),
      () => "0".repeat(200_000),
      () => "\u0000\u0001",
      () => random.pick(HOSTILE_TEXTS),
      () => [],
      () => [1e308, 1e308],
      () => [-1, WIDTH * HEIGHT + 1],
    ])();
    const coco = goodCoco();
    put((coco["annotations"] as { [key: string]: Json }[])[2]!, "segmentation", {
      size: random.next() < 0.5 ? [HEIGHT, WIDTH] : [side(), side()],
      counts,
    });
    put((coco["annotations"] as { [key: string]: Json }[])[2]!, "iscrowd", random.integer(2));
    writeBoxes(place, JSON.stringify(coco));
    return { existing: "keep" };
  },
  "image bytes": (random, place) => {
    writeFileSync(join(place.given, "images", "a.jpg"), hostileImage(random, place.photograph, damage));
    const coco = goodCoco();
    if (random.next() < 0.7) forgetSizes(coco);
    writeBoxes(place, JSON.stringify(coco));
    return {};
  },
  "file names": (random, place) => {
    const climbs = [
      "../../canary.jpg",
      "../canary.jpg",
      place.canary,
      `a.jpg/../../../${"x".repeat(random.integer(300))}`,
      "images/../../canary.jpg",
      "..\\..\\canary.jpg",
      "./../../canary.jpg",
    ];
    const coco = goodCoco();
    // Without a size to compare with, whatever is opened is drawn on.
    if (random.next() < 0.7) forgetSizes(coco);
    writeBoxes(
      place,
      withName(coco, "images", "file_name", random.next() < 0.6 ? random.pick(climbs) : random.pick(HOSTILE_TEXTS)),
    );
    return { overlays: "all" };
  },
  Cityscapes: (random, place) => {
    const boxes = join(place.given, "polygons");
    mkdirSync(boxes);
    const text = JSON.stringify(random.next() < 0.5 ? distort(random, goodCityscapes()) : goodCityscapes());
    const name = random.pick([
      "a_gtFine_polygons.json",
      "b_gtFine_polygons.json",
      "nowhere_gtFine_polygons.json",
      "a_gtBboxCityPersons.json",
    ]);
    writeFileSync(
      join(boxes, name),
      random.next() < 0.4 ? damage(random, Buffer.from(text)) : random.next() < 0.3 ? withRawToken(random, text) : text,
    );
    return { boxes };
  },
  "results list": (random, place) => {
    const list: Json = [
      { image_id: 1, category_id: 1, bbox: [2, 2, 20, 20], score: 0.5 },
      { image_id: "a", category_id: 7, bbox: [2, 2, 20, 20], score: 0.9 },
    ];
    const text = JSON.stringify(distort(random, list));
    writeBoxes(place, random.next() < 0.3 ? damage(random, Buffer.from(text)) : text);
    const dataset = join(place.given, "dataset.json");
    writeFileSync(dataset, JSON.stringify(random.next() < 0.5 ? distort(random, goodCoco()) : goodCoco()));
    return random.next() < 0.5 ? { dataset } : {};
  },
  "model cards": (random, place) => {
    const model = copyModel(place);
    const text = readFileSync(join(model, "model.json"), "utf8");
    const distorted = random.next() < 0.6 ? JSON.stringify(distort(random, JSON.parse(text) as Json)) : text;
    writeFileSync(
      join(model, "model.json"),
      random.next() < 0.4
        ? damage(random, Buffer.from(distorted))
        : random.next() < 0.3
          ? withRawToken(random, distorted)
          : distorted,
    );
    writeBoxes(place, JSON.stringify(goodCoco()));
    return { model };
  },
  weights: (random, place) => {
    const model = copyModel(place);
    const weights = damageWeights(random, readFileSync(join(model, "model.safetensors")));
    writeFileSync(join(model, "model.safetensors"), weights);
    // The right hash, most of the time: what is refused is refused for its content.
    if (random.next() < 0.9) {
      const card = JSON.parse(readFileSync(join(model, "model.json"), "utf8")) as { files: Json };
      card.files = {
        "model.safetensors": {
          sha256: createHash("sha256").update(weights).digest("hex"),
          bytes: Math.max(1, weights.length),
        },
      };
      writeFileSync(join(model, "model.json"), JSON.stringify(card));
    }
    writeBoxes(place, JSON.stringify(goodCoco()));
    return { model };
  },
};

export const KIND_NAMES: readonly string[] = Object.keys(KINDS);

function copyModel(place: Place): string {
  const model = join(place.given, "model");
  mkdirSync(model);
  for (const name of ["model.json", "model.safetensors"])
    writeFileSync(join(model, name), readFileSync(join(TINY, name)));
  return model;
}

/** Damage anywhere, or a header with one value changed, perhaps to one JSON does not have, and its length put right. */
function damageWeights(random: Random, bytes: Buffer): Buffer {
  if (random.next() < 0.3) return damage(random, bytes);
  const length = Number(bytes.readBigUInt64LE());
  const text = JSON.stringify(distort(random, JSON.parse(bytes.toString("utf8", 8, 8 + length)) as Json));
  const header = Buffer.from(random.next() < 0.3 ? withRawToken(random, text) : text);
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(
    random.next() < 0.9 ? BigInt(header.length) : BigInt(random.pick([0, 1, 2 ** 31, 2 ** 40, 2 ** 53])),
  );
  return Buffer.concat([size, header, bytes.subarray(8 + length)]);
}
