/**
 * Malformed inputs in the formats of other tools: sound files with a number, a word or a line put out, nested or
 * repeated without measure, under names that no tool gave, or packed into a zip file that lies.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Random } from "../../src/random.js";
import type { Form } from "../dataset/foreign/forms.js";
import { FORMS, IMAGES } from "../dataset/foreign/forms.js";
import type { ZipMember } from "../helpers/zip-file.js";
import { zipFile } from "../helpers/zip-file.js";
import type { Kind, Place } from "./malformed-inputs.js";
import { damage, HOSTILE_NUMBERS, HOSTILE_TEXTS, RAW_TOKENS } from "./malformed-inputs.js";

/** One kind per format. */
export const FORMAT_KINDS: Readonly<Record<string, Kind>> = {
  ...Object.fromEntries(FORMS.map((form) => [`format ${form.name}`, kindOf(form)])),
  "format in a zip file": (random, place) => {
    const form = random.pick(FORMS);
    const members = Object.entries(form.files).map(([name, text]) =>
      lying(random, { name, bytes: random.next() < 0.5 ? damaged(random, text) : Buffer.from(text) }),
    );
    const packed = zipFile(random.next() < 0.1 ? Array.from({ length: 3000 }, () => members[0]!) : members);
    const boxes = join(place.given, "boxes.zip");
    writeFileSync(boxes, random.next() < 0.4 ? damage(random, packed) : packed);
    return { ...imagesOf(place), boxes };
  },
};

function kindOf(form: Form): Kind {
  return (random, place) => {
    const spoilt = random.pick(Object.keys(form.files));
    for (const [name, text] of Object.entries(form.files)) {
      const path = join(place.given, name === spoilt && random.next() < 0.2 ? renamed(random, name) : name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, name === spoilt ? damaged(random, text) : text);
    }
    return { ...imagesOf(place), boxes: join(place.given, form.boxes) };
  };
}

/** The format's own images beside those of the other kinds. */
function imagesOf({ given, photograph }: Place): { images: string } {
  const images = join(given, "images");
  for (const name of IMAGES) {
    mkdirSync(dirname(join(images, name)), { recursive: true });
    writeFileSync(join(images, name), photograph);
  }
  return { images };
}

/** Names that can stand on a disk, with the ending that makes the file one of the format. */
function renamed(random: Random, name: string): string {
  const ending = /\.\w+$/.exec(name)?.[0] ?? "";
  const stems = ["a\nb", "\u001b[31m", "\u202egpj", "=1+1", "x".repeat(240), "%2e%2e", "con", "..a", "<script>"];
  return join(dirname(name), random.pick(stems) + ending);
}

function damaged(random: Random, text: string): Buffer {
  switch (random.integer(6)) {
    case 0:
      return damage(random, Buffer.from(text));
    case 1:
      return put(random, text, /-?\d+(?:\.\d+)?/g, String(random.pick([...RAW_TOKENS, ...HOSTILE_NUMBERS])));
    case 2:
      return put(random, text, /[a-z]\w+/gi, random.pick(HOSTILE_TEXTS));
    case 3:
      return put(random, text, /[^\n]+\n?/g, "x ".repeat(Math.floor(10 ** (2 + 4 * random.next()))));
    case 4: {
      const depth = Math.floor(10 ** (1 + 4.5 * random.next()));
      return put(
        random,
        text,
        /"[^"\n]*"|[^\s"]+/g,
        random.pick(["[", '{"a":', "<a>", "<a b='", "- ", '"', "&a;", "{a: "]).repeat(depth),
      );
    }
    default: {
      // Each is a box that is drawn: ten thousand take longer than the limit, and rightly so.
      const lines = text.split("\n");
      const line = random.pick(lines);
      return Buffer.from([...lines, ...Array.from({ length: random.pick([10, 40, 100]) }, () => line)].join("\n"));
    }
  }
}

/** The text with one of the matches put out. */
function put(random: Random, text: string, pattern: RegExp, by: string): Buffer {
  const matches = [...text.matchAll(pattern)];
  if (matches.length === 0) return Buffer.from(by);
  const { index, 0: found } = random.pick(matches);
  return Buffer.from(text.slice(0, index) + by + text.slice(index + found.length));
}

function lying(random: Random, member: ZipMember): ZipMember {
  switch (random.integer(8)) {
    case 0:
      return { ...member, claimedSize: random.pick([0, 1, 2 ** 31, 2 ** 32 - 1]) };
    case 1:
      return { ...member, claimedCrc: 1 };
    case 2:
      return { ...member, claimedMethod: random.pick([1, 9, 12, 14, 93, 99]) };
    case 3:
      return { ...member, claimedOffset: random.pick([1, 2 ** 31, 2 ** 32 - 1]) };
    case 4:
      return {
        ...member,
        name: random.pick(["../canary.jpg", "/etc/passwd", "..\\..\\a.txt", `../${member.name}`, ""]),
      };
    case 5:
      return { ...member, flags: 1 };
    case 6:
      return { ...member, bytes: Buffer.alloc(20_000_000) };
    default:
      return member;
  }
}
