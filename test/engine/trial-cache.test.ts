/** Which tiles an adapter gets: from the cache, from a trial, or the safe ones; and what the cache may hold instead. */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { AdapterReport } from "../../src/engine/webgpu/adapter.js";
import type { TrialKey } from "../../src/engine/webgpu/cache.js";
import { cacheFile, cacheFolder, keepTiles, readTiles } from "../../src/engine/webgpu/cache.js";
import { SAFE_TILES, TILE_CANDIDATES } from "../../src/engine/webgpu/tiles.js";
import type { Trial } from "../../src/engine/webgpu/trial.js";
import { bestOf, chooseTiles, kernelsVersion } from "../../src/engine/webgpu/trial.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const ADAPTER: AdapterReport = {
  name: "nvidia h100",
  driver: "NVIDIA: 580.1",
  isSoftware: false,
  float16: "absent",
  limits: { bufferBytes: 1, bindingBytes: 1, buffersPerKernel: 1, workgroupBytes: 1 },
  memoryBound: 1,
};
const OTHER = TILE_CANDIDATES[3]!;
const key = (): TrialKey => ({ adapter: ADAPTER.name, driver: ADAPTER.driver, kernels: kernelsVersion() });
const trialOf =
  (tiles = OTHER) =>
  (): Promise<Trial> =>
    Promise.resolve({ tiles, tried: [], leftOut: [] });
const noTrial = (): Promise<Trial> => Promise.reject(new Error("no trial was to be made"));

let folder: string;
beforeEach(() => {
  folder = join(temporaryFolder(), "not", "there", "yet");
});
afterEach(() => {
  vi.unstubAllEnvs();
});

describe("the tiles of an adapter", () => {
  test("a trial is made once and kept; from then on the cache answers", async () => {
    expect(await chooseTiles(ADAPTER, { folder, tryTiles: trialOf() })).toEqual({ tiles: OTHER, from: "trial" });
    expect(await chooseTiles(ADAPTER, { folder, tryTiles: noTrial })).toEqual({ tiles: OTHER, from: "cache" });
    const other = { ...ADAPTER, name: "intel arc" };
    expect(await chooseTiles(other, { folder, tryTiles: trialOf(SAFE_TILES) })).toMatchObject({ from: "trial" });
    expect(await chooseTiles(ADAPTER, { folder, tryTiles: noTrial })).toMatchObject({ from: "cache" });
    expect(readdirSync(folder)).toHaveLength(2);
  });

  test("another driver makes what was kept worthless, and it is replaced", async () => {
    await chooseTiles(ADAPTER, { folder, tryTiles: trialOf() });
    const newer = { ...ADAPTER, driver: "NVIDIA: 590" };
    const again = await chooseTiles(newer, { folder, tryTiles: trialOf(SAFE_TILES) });
    expect(again).toMatchObject({
      tiles: SAFE_TILES,
      from: "trial",
      note: expect.stringMatching(/driver was/) as string,
    });
    expect(await chooseTiles(newer, { folder, tryTiles: noTrial })).toMatchObject({ from: "cache", tiles: SAFE_TILES });
    expect(readdirSync(folder)).toHaveLength(1);
  });

  test("a driver on the CPU gets the safe ones without a trial, unless one is asked for", async () => {
    const software = { ...ADAPTER, isSoftware: true };
    expect(await chooseTiles(software, { folder, tryTiles: noTrial })).toMatchObject({
      tiles: SAFE_TILES,
      from: "default",
    });
    vi.stubEnv("POLYRNN_TILES", "trial");
    expect(await chooseTiles(software, { folder, tryTiles: trialOf() })).toMatchObject({ tiles: OTHER, from: "trial" });
  });

  test("POLYRNN_TILES=default wins over the cache; a word it does not know is refused", async () => {
    await chooseTiles(ADAPTER, { folder, tryTiles: trialOf() });
    vi.stubEnv("POLYRNN_TILES", "default");
    expect(await chooseTiles(ADAPTER, { folder, tryTiles: noTrial })).toMatchObject({ tiles: SAFE_TILES });
    vi.stubEnv("POLYRNN_TILES", "best");
    await expect(chooseTiles(ADAPTER, { folder })).rejects.toThrow(
      'POLYRNN_TILES: expected default or trial but received "best"',
    );
  });

  test("a trial that fails leaves the safe ones and the reason, and nothing is kept", async () => {
    expect(await chooseTiles(ADAPTER, { folder, tryTiles: () => Promise.reject(new Error("device lost")) })).toEqual({
      tiles: SAFE_TILES,
      from: "default",
      note: "the trial failed (device lost)",
    });
    expect(await readTiles(folder, key())).toBeUndefined();
  });

  test("others are taken only where they are clearly quicker", () => {
    const tried = (...times: number[]): Trial["tried"] =>
      times.map((milliseconds, at) => ({ tiles: TILE_CANDIDATES[at]!, milliseconds }));
    expect(bestOf(tried(10, 9.9, 11))).toBe(SAFE_TILES);
    expect(bestOf(tried(10, 9, 8, 12))).toBe(TILE_CANDIDATES[2]);
    expect(() => bestOf([])).toThrow(/not even the safe tiles/);
  });

  test("every candidate fits the least that WebGPU promises: 256 threads in a workgroup", () => {
    for (const { threads } of TILE_CANDIDATES) expect(threads).toBeLessThanOrEqual(256);
    expect(new Set(TILE_CANDIDATES.map((tiles) => JSON.stringify(tiles))).size).toBe(TILE_CANDIDATES.length);
  });
});

describe("what the cache may hold instead is as good as nothing, and is replaced", () => {
  const kept = (changes: Record<string, unknown>): string =>
    JSON.stringify({ version: 1, ...key(), tiles: OTHER, ...changes });
  const write = (path: string, content: string): void => {
    mkdirSync(folder, { recursive: true });
    writeFileSync(path, content);
  };
  test.each<{ what: string; put: (path: string) => void; problem: RegExp }>([
    {
      what: "nothing in the file",
      put: (path) => {
        write(path, "");
      },
      problem: /JSON/,
    },
    {
      what: "half a file",
      put: (path) => {
        write(path, kept({}).slice(0, 60));
      },
      problem: /JSON/,
    },
    {
      what: "bytes",
      put: (path) => {
        write(path, "\u0000\u0001");
      },
      problem: /JSON/,
    },
    {
      what: "a file without end",
      put: (path) => {
        write(path, " ".repeat(1e5));
      },
      problem: /100000 bytes, more than 4096/,
    },
    {
      what: "deep brackets",
      put: (path) => {
        write(path, "[".repeat(2000));
      },
      problem: /deeper than 4 levels/,
    },
    {
      what: "another JSON",
      put: (path) => {
        write(path, "null");
      },
      problem: /null is no trial/,
    },
    {
      what: "a list",
      put: (path) => {
        write(path, "[]");
      },
      problem: /version was nothing/,
    },
    {
      what: "a later version",
      put: (path) => {
        write(path, kept({ version: 2 }));
      },
      problem: /version was 2/,
    },
    {
      what: "other kernels",
      put: (path) => {
        write(path, kept({ kernels: "x" }));
      },
      problem: /kernels was "x"/,
    },
    {
      what: "another adapter",
      put: (path) => {
        write(path, kept({ adapter: "y" }));
      },
      problem: /adapter was "y"/,
    },
    {
      what: "no tiles",
      put: (path) => {
        write(path, kept({ tiles: null }));
      },
      problem: /tiles null are none/,
    },
    {
      what: "tiles that nobody tries",
      put: (path) => {
        write(path, kept({ tiles: { columns: 1e9, groups: 1, threads: 64 } }));
      },
      problem: /columns.*are none that are tried/,
    },
    {
      what: "tiles that are code",
      put: (path) => {
        write(path, kept({ tiles: { columns: "4); }", groups: 1, threads: 64 } }));
      },
      problem: /are none that are tried/,
    },
    {
      what: "a pipe, which would wait for ever",
      put(path) {
        mkdirSync(folder, { recursive: true });
        execFileSync("mkfifo", [path]);
      },
      problem: /pipe or device/,
    },
    {
      what: "a link to a device without end",
      put(path) {
        mkdirSync(folder, { recursive: true });
        symlinkSync("/dev/zero", path);
      },
      problem: /pipe or device/,
    },
  ])("$what", async ({ put, problem }) => {
    if (process.platform === "win32") return;
    const path = cacheFile(folder, key());
    put(path);
    expect(await readTiles(folder, key())).toMatchObject({ problem: expect.stringMatching(problem) as string });
    expect(await chooseTiles(ADAPTER, { folder, tryTiles: trialOf() })).toMatchObject({
      tiles: OTHER,
      from: "trial",
      note: expect.stringMatching(problem) as string,
    });
    expect(await readTiles(folder, key())).toEqual({ tiles: OTHER });
  });

  test("a folder of that name: the trial's tiles are taken, and the note says why they are not kept", async () => {
    mkdirSync(cacheFile(folder, key()), { recursive: true });
    expect(await chooseTiles(ADAPTER, { folder, tryTiles: trialOf() })).toMatchObject({
      tiles: OTHER,
      from: "trial",
      note: expect.stringMatching(/not kept .*folder of that name/) as string,
    });
  });

  test.skipIf(process.getuid?.() === 0)("a folder that takes no file", async () => {
    mkdirSync(folder, { recursive: true });
    chmodSync(folder, 0o500);
    expect(await keepTiles(folder, key(), OTHER)).toMatch(/permission is denied/);
    chmodSync(folder, 0o700);
  });

  test("a file in the place of the folder", async () => {
    mkdirSync(join(folder, ".."), { recursive: true });
    writeFileSync(folder, "");
    expect(await readTiles(folder, key())).toMatchObject({ problem: expect.stringContaining("ENOTDIR") as string });
    expect(await keepTiles(folder, key(), OTHER)).toMatch(/expected to write here/);
  });

  test("many writers at once: one of them wins, the file is whole, and nothing is left beside it", async () => {
    const outcomes = await Promise.all(TILE_CANDIDATES.map((tiles) => keepTiles(folder, key(), tiles)));
    expect(outcomes.filter((problem) => problem === undefined).length).toBeGreaterThan(0);
    const read = await readTiles(folder, key());
    expect(TILE_CANDIDATES).toContain((read as { tiles: unknown }).tiles);
    expect(readFileSync(cacheFile(folder, key()), "utf8")).toMatch(/^\{.*\}\n$/);
    expect(await keepTiles(folder, key(), OTHER)).toBeUndefined(); // whatever the losers left
    expect(readdirSync(folder)).toHaveLength(1);
    rmSync(folder, { recursive: true });
  });
});

test("the cache lies where each platform keeps such files; a relative name in the environment is none", () => {
  expect(cacheFolder({ XDG_CACHE_HOME: "/var/cache/me" }, "linux")).toBe("/var/cache/me/polyrnn");
  expect(cacheFolder({}, "linux")).toMatch(/[\\/]\.cache[\\/]polyrnn$/);
  expect(cacheFolder({ XDG_CACHE_HOME: "here" }, "linux")).toMatch(/[\\/]\.cache[\\/]polyrnn$/);
  expect(cacheFolder({}, "darwin")).toMatch(/Library[\\/]Caches[\\/]polyrnn$/);
  expect(cacheFolder({}, "win32")).toMatch(/AppData[\\/]Local[\\/]polyrnn$/);
});
