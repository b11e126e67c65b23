import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { checkModelCard } from "../../src/model/card.js";
import { describeViolation } from "../../src/validate.js";

type Card = Record<string, unknown> & {
  architecture: Record<string, unknown>;
  normalization: Record<string, unknown>;
  scores: Record<string, unknown>[];
};
const read = (path: string): Card =>
  JSON.parse(readFileSync(new URL(`../../${path}`, import.meta.url), "utf8")) as Card;
const mobile = (): Card => read("models/mobile/model.json");
const sha256 = "0".repeat(64);

test.each(["models/mobile/model.json", "fixtures/models/tiny-random/model.json"])("%s is a valid card", (path) => {
  expect(checkModelCard(read(path))).toBeUndefined();
});

test("a vgg16 card is valid with the paper's options", () => {
  expect(
    checkModelCard({ ...mobile(), architecture: { name: "vgg16", widths: [16, 16], peepholes: true } }),
  ).toBeUndefined();
});

test("a field this version does not know is no fault", () => {
  expect(checkModelCard({ ...mobile(), paper: "arXiv:1704.05548" })).toBeUndefined();
});

const changed = (change: (card: Card) => void): Card => {
  const card = mobile();
  change(card);
  return card;
};

describe("a card is refused", () => {
  test.each([
    {
      why: "no context",
      card: changed((c) => {
        delete c["context"];
      }),
      says: "expected /context to be present but received nothing",
    },
    {
      why: "context in percent",
      card: changed((c) => {
        c["context"] = 15;
      }),
      says: "expected /context to be <= 1 but received 15",
    },
    {
      why: "another grid",
      card: changed((c) => {
        c["grid"] = 56;
      }),
      says: "expected /grid to be 28 but received 56",
    },
    {
      why: "an unknown architecture",
      card: changed((c) => {
        c.architecture["name"] = "resnet";
      }),
      says: 'expected /architecture/name to be a known name but received "resnet"',
    },
    {
      why: "an option the architecture does not have",
      card: changed((c) => {
        c.architecture["dropout"] = 0.5;
      }),
      says: "expected /architecture/dropout to be absent",
    },
    {
      why: "an option of another architecture",
      card: changed((c) => {
        c.architecture["name"] = "vgg16";
      }),
      says: "expected /architecture/features to be absent",
    },
    {
      why: "a network of a million channels",
      card: changed((c) => {
        c.architecture["features"] = 1e6;
      }),
      says: "expected /architecture/features to be <= 4096",
    },
    {
      why: "three widths",
      card: changed((c) => {
        c.architecture["widths"] = [1, 2, 3];
      }),
      says: "/architecture/widths",
    },
    {
      why: "a deviation of zero",
      card: changed((c) => {
        c.normalization["std"] = [1, 0, 1];
      }),
      says: "expected /normalization/std/1 to be >= 0.001 but received 0",
    },
    {
      why: "an unknown channel order",
      card: changed((c) => {
        c.normalization["channelOrder"] = "GBR";
      }),
      says: 'to be one of "RGB", "BGR" but received "GBR"',
    },
    {
      why: "a score in percent",
      card: changed((c) => {
        c.scores[0]!["meanIoU"] = 70;
      }),
      says: "expected /scores/0/meanIoU to be <= 1 but received 70",
    },
    {
      why: "a file outside the folder",
      card: changed((c) => {
        c["files"] = { "../weights.safetensors": { sha256, bytes: 1 } };
      }),
      says: "../weights.safetensors",
    },
    {
      why: "an absolute file",
      card: changed((c) => {
        c["files"] = { "/etc/weights.safetensors": { sha256, bytes: 1 } };
      }),
      says: "/etc/weights.safetensors",
    },
    {
      why: "no file",
      card: changed((c) => {
        c["files"] = {};
      }),
      says: "/files",
    },
    {
      why: "a hash that is none",
      card: changed((c) => {
        c["files"] = { "a.safetensors": { sha256: "ABC", bytes: 1 } };
      }),
      says: "/files/a.safetensors/sha256",
    },
    { why: "a list", card: [] as unknown as Card, says: "expected the document to be of type object but received []" },
  ])("$why", ({ card, says }) => {
    const violation = checkModelCard(card);
    expect(violation && describeViolation(violation)).toContain(says);
  });
});
