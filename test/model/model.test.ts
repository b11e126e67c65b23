import { cp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { EXIT } from "../../src/errors.js";
import { findModelFolder, listModels } from "../../src/model/folder.js";
import { loadModel, predictionHash, verifyModel } from "../../src/model/model.js";
import { parseSafetensors, serializeSafetensors, tensorValues } from "../../src/model/safetensors.js";
import type { WeightTensor } from "../../src/model/safetensors.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const TINY = fileURLToPath(new URL("../../fixtures/models/tiny-random", import.meta.url));
type Card = Record<string, unknown> & { files: Record<string, { sha256: string; bytes: number }> };

let folder: string; // a copy of tiny-random to be spoiled
beforeEach(async () => {
  folder = join(temporaryFolder(), "copy");
  await cp(TINY, folder, { recursive: true });
});
afterEach(async () => {
  await rm(join(folder, ".."), { recursive: true, force: true });
});

async function changeCard(change: (card: Card) => void): Promise<void> {
  const path = join(folder, "model.json");
  const card = JSON.parse(await readFile(path, "utf8")) as Card;
  change(card);
  await writeFile(path, JSON.stringify(card));
}

/** Writes weights and the hash that belongs to them, so that only the weights themselves can be at fault. */
async function changeWeights(
  change: (weights: Map<string, WeightTensor>) => void,
  name = "model.safetensors",
): Promise<void> {
  const file = parseSafetensors(new Uint8Array(await readFile(join(TINY, "model.safetensors"))), "model");
  const weights = new Map(
    [...file.tensors].map(([tensor, stored]) => [
      tensor,
      { shape: stored.shape, values: tensorValues(stored, tensor) },
    ]),
  );
  change(weights);
  const bytes = serializeSafetensors(weights, { dtype: "F32" });
  await writeFile(join(folder, name), bytes);
  await changeCard((card) => {
    card.files[name] = { sha256: createHash("sha256").update(bytes).digest("hex"), bytes: bytes.length };
  });
}

test.each(["mobile", "tiny-random"])("%s comes with the program and loads by its name", async (name) => {
  const model = await loadModel(name);
  expect(model.card.name).toBe(name);
  expect([...model.weights.keys()].sort()).toEqual([...model.network.weightShapes.keys()].sort());
  expect(model.hash).toMatch(/^[0-9a-f]{64}$/);
});

test("a model loads by its folder and by its card, and is the same model", async () => {
  const named = await loadModel("tiny-random");
  for (const path of [folder, join(folder, "model.json"), `${folder}/`]) {
    expect((await loadModel(path)).hash).toBe(named.hash);
  }
});

test("every model that comes with the program is listed under its own name", async () => {
  const models = await listModels();
  expect(models.map(({ name }) => name)).toEqual(expect.arrayContaining(["mobile", "tiny-random"]));
  for (const model of models) expect("card" in model && model.card.name).toBe(model.name);
});

test("weights split over two files are one model", async () => {
  const { weights } = await loadModel("tiny-random");
  const [first] = weights.keys();
  await changeWeights((all) => {
    all.delete(first!);
  });
  await changeWeights((all) => {
    for (const name of all.keys()) if (name !== first) all.delete(name);
  }, "rest.safetensors");
  expect([...(await loadModel(folder)).weights.keys()].sort()).toEqual([...weights.keys()].sort());
});

describe("the prediction hash", () => {
  test.each([
    {
      why: "stays with another name",
      change: (card: Card) => {
        card["name"] = "other";
      },
      same: true,
    },
    {
      why: "stays with other scores",
      change: (card: Card) => {
        card["scores"] = [];
      },
      same: true,
    },
    {
      why: "stays with another default context",
      change: (card: Card) => {
        card["context"] = 0.2;
      },
      same: true,
    },
    {
      why: "changes with the normalization",
      change: (card: Card) => {
        card["normalization"] = { channelOrder: "BGR", mean: [0, 0, 0], std: [1, 1, 1] };
      },
      same: false,
    },
    {
      why: "changes with the architecture",
      change: (card: Card) => {
        card["architecture"] = { ...(card["architecture"] as object), peepholes: true };
      },
      same: false,
    },
    {
      why: "changes with the weights",
      change: (card: Card) => {
        card.files["model.safetensors"]!.sha256 = "0".repeat(64);
      },
      same: false,
    },
  ])("$why", async ({ change, same }) => {
    const { card, hash } = await loadModel("tiny-random");
    const other = structuredClone(card) as unknown as Card;
    change(other);
    expect(predictionHash(other as unknown as typeof card) === hash).toBe(same);
  });
});

describe("a model is refused with exit code 69", () => {
  const refused: { why: string; spoil: () => Promise<unknown>; says: RegExp; hint: RegExp }[] = [
    {
      why: "one byte of the weights changed",
      spoil: flipByte,
      says: /model\.safetensors: expected sha256 4c329f008f1c \(53854 bytes\) but received [0-9a-f]{12} \(53854 bytes\)/,
      hint: /Fetch it again/,
    },
    {
      why: "weights cut short",
      spoil: async () => {
        await writeFile(join(folder, "model.safetensors"), "cut");
      },
      says: /but received [0-9a-f]{12} \(3 bytes\)/,
      hint: /damaged/,
    },
    {
      why: "the hash is right but the file is no safetensors",
      spoil: notSafetensors,
      says: /expected a header of at most/,
      hint: /not a safetensors file/,
    },
    {
      why: "a Git LFS pointer in place of the weights",
      spoil: () => writeFile(join(folder, "model.safetensors"), "version https://git-lfs.github.com/spec/v1\noid sha"),
      says: /expected a safetensors file but received a Git LFS pointer$/,
      hint: /git lfs pull/,
    },
    {
      why: "weights as PyTorch writes them",
      spoil: () => writeFile(join(folder, "model.safetensors"), "PK\x03\x04\0\0\b\b\0\0"),
      says: /expected a safetensors file but received a zip file$/,
      hint: /Write the weights with the safetensors package/,
    },
    {
      why: "a page of a site that asks for a login, in place of the weights",
      spoil: () => writeFile(join(folder, "model.safetensors"), "<!DOCTYPE html><html>"),
      says: /expected a safetensors file but received an HTML page$/,
      hint: /asks for a login/,
    },
    {
      why: "a Git LFS pointer in place of the card",
      spoil: () => writeFile(join(folder, "model.json"), "version https://git-lfs.github.com/spec/v1\noid sha"),
      says: /expected a model card in JSON \(received a Git LFS pointer\)/,
      hint: /git lfs pull/,
    },
    {
      why: "a card that is still packed",
      spoil: () => writeFile(join(folder, "model.json"), gzipSync("{}")),
      says: /expected a model card in JSON \(received a gzip file\)/,
      hint: /Unpack/,
    },
    {
      why: "another format version",
      spoil: () =>
        changeCard((card) => {
          card["formatVersion"] = 2;
        }),
      says: /expected formatVersion 1 but received 2/,
      hint: /Update polyrnn or the model/,
    },
    {
      why: "no format version",
      spoil: () =>
        changeCard((card) => {
          delete card["formatVersion"];
        }),
      says: /expected formatVersion 1 but received none/,
      hint: /Update/,
    },
    {
      why: "a card that is not JSON",
      spoil: () => writeFile(join(folder, "model.json"), "{"),
      says: /expected a model card in JSON/,
      hint: /Fetch/,
    },
    {
      why: "a card of a megabyte and more",
      spoil: () => writeFile(join(folder, "model.json"), " ".repeat(1_000_001)),
      says: /1000001 bytes/,
      hint: /Fetch/,
    },
    {
      why: "a field out of range",
      spoil: () =>
        changeCard((card) => {
          card["context"] = -1;
        }),
      says: /model\.json: expected \/context to be >= 0 but received -1/,
      hint: /Correct the card/,
    },
    {
      why: "a tensor missing",
      spoil: () =>
        changeWeights((all) => {
          all.delete("fuse.0.weight");
        }),
      says: /a model without fuse\.0\.weight/,
      hint: /architecture in model\.json/,
    },
    {
      why: "a tensor too many",
      spoil: () =>
        changeWeights((all) => {
          all.set("extra", { shape: [1], values: new Float32Array(1) });
        }),
      says: /a model with extra besides them/,
      hint: /architecture/,
    },
    {
      why: "a tensor of another shape",
      spoil: () =>
        changeWeights((all) => {
          all.set("fuse.0.bias", { shape: [2, 4], values: new Float32Array(8) });
        }),
      says: /fuse\.0\.bias: expected shape \[8\] but received \[2,4\]/,
      hint: /architecture/,
    },
    {
      why: "a weight that is not a number",
      spoil: () =>
        changeWeights((all) => {
          all.get("fuse.0.bias")!.values[3] = NaN;
        }),
      says: /fuse\.0\.bias: expected finite values but received NaN at position 3/,
      hint: /architecture/,
    },
    {
      why: "weights of another architecture",
      spoil: () =>
        changeCard((card) => {
          card["architecture"] = { name: "vgg16", widths: [16, 16], peepholes: false };
        }),
      says: /a model without encoder\.conv1_1\.weight, .* and \d+ more/,
      hint: /written together/,
    },
    {
      why: "a tensor in two files",
      spoil: async () => {
        await changeWeights(() => undefined);
        await changeWeights(() => undefined, "again.safetensors");
      },
      says: /in one file only but received it twice/,
      hint: /written together/,
    },
  ];
  test.each(refused)("$why", async ({ spoil, says, hint }) => {
    await spoil();
    await expect(loadModel(folder)).rejects.toMatchObject({
      exitCode: EXIT.unavailable,
      message: expect.stringMatching(says) as string,
      hint: expect.stringMatching(hint) as string,
    });
  });

  test("an unknown name, with the nearest one as a hint", async () => {
    await expect(loadModel("mobil")).rejects.toMatchObject({
      exitCode: EXIT.unavailable,
      hint: "Did you mean mobile?",
    });
    await expect(loadModel("resnet")).rejects.toMatchObject({
      message: expect.stringMatching(/mobile, (vgg16, )?tiny-random/) as string,
    });
  });

  test("a folder without a card", async () => {
    await rm(join(folder, "model.json"));
    await expect(loadModel(folder)).rejects.toMatchObject({
      exitCode: EXIT.unavailable,
      message: expect.stringContaining(folder) as string,
    });
  });
});

test("weights that are missing are missing input", async () => {
  await rm(join(folder, "model.safetensors"));
  await expect(loadModel(folder)).rejects.toMatchObject({
    exitCode: EXIT.inputMissing,
    message: expect.stringContaining("model.safetensors") as string,
  });
});

test("verifying goes on after the first fault and names the file", async () => {
  expect((await verifyModel("mobile")).files).toEqual([{ name: "model.safetensors" }]);
  await changeWeights(() => undefined, "second.safetensors");
  await flipByte();
  const { files, weightsProblem } = await verifyModel(folder);
  expect(files.map(({ name, problem }) => [name, problem === undefined])).toEqual([
    ["model.safetensors", false],
    ["second.safetensors", true],
  ]);
  expect(weightsProblem).toBeUndefined();
});

test("verifying sound files of the wrong network says so", async () => {
  await changeWeights((all) => {
    all.delete("fuse.0.bias");
  });
  const { files, weightsProblem } = await verifyModel(folder);
  expect(files).toEqual([{ name: "model.safetensors" }]);
  expect(weightsProblem?.message).toContain("fuse.0.bias");
});

test("a link to a model's folder is followed", async () => {
  const link = join(folder, "..", "link");
  await symlink(folder, link);
  expect(await findModelFolder(link)).toBe(link);
});

async function flipByte(): Promise<void> {
  const path = join(folder, "model.safetensors");
  const bytes = await readFile(path);
  bytes[bytes.length - 1]! ^= 1;
  await writeFile(path, bytes);
}

async function notSafetensors(): Promise<void> {
  const bytes = Buffer.from("only text, although the hash is right");
  await writeFile(join(folder, "model.safetensors"), bytes);
  await changeCard((card) => {
    card.files["model.safetensors"] = { sha256: createHash("sha256").update(bytes).digest("hex"), bytes: bytes.length };
  });
}

test.each([
  {
    why: "kernels of another size",
    change: { kernel: 5 },
    says: /kernel 5.*decoder\.gates_1\.weight: expected shape \[\d+,\d+,5,5\]/,
  },
  { why: "another cell", change: { cell: "jordan" }, says: /cell "jordan".*without decoder\.jordan/ },
  {
    why: "peepholes of a cell without cell state",
    change: { cell: "elman", peepholes: true },
    says: /expected peepholes false for cell elman/,
  },
  { why: "a cell that does not exist", change: { cell: "transformer" }, says: /architecture/ },
  { why: "an even kernel", change: { kernel: 4 }, says: /architecture/ },
])("a card with $why is refused, option and tensor named", async ({ change, says }) => {
  const path = join(folder, "model.json");
  const card = JSON.parse(await readFile(path, "utf8")) as { architecture: object };
  await writeFile(path, JSON.stringify({ ...card, architecture: { ...card.architecture, ...change } }));
  await expect(loadModel(folder)).rejects.toMatchObject({
    exitCode: 69,
    message: expect.stringMatching(says) as string,
  });
});
