/**
 * Installing as users do, with the two downloads that installation must not depend on out of reach: libtensorflow (the
 * install script of @tensorflow/tfjs-node-gpu) and CUDA for onnxruntime (that of onnxruntime-node). Their addresses are
 * pointed at a closed port of this machine, so that they are out of reach on machines with a network too. The npm
 * registry is needed.
 *
 * Takes minutes; runs with POLYRNN_INSTALL_TEST=1, which .ci/run sets.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import type { Server } from "node:http";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const ROOT = join(import.meta.dirname, "..", "..");
const MINUTES = 60_000;

interface Manifest {
  readonly version: string;
  readonly allowScripts: Readonly<Record<string, boolean>>;
}
interface Locked {
  readonly hasInstallScript?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as Manifest;
const { packages } = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")) as {
  readonly packages: Readonly<Record<string, Locked>>;
};
const nameOf = (place: string): string => place.slice(place.lastIndexOf("node_modules/") + "node_modules/".length);

describe("package-lock.json", () => {
  test('lets npm run no install script of onnxruntime-node: a new version brings "hasInstallScript" back; take the line out', () => {
    expect(packages["node_modules/onnxruntime-node"]).toBeDefined();
    expect(packages["node_modules/onnxruntime-node"]).not.toHaveProperty("hasInstallScript");
    expect(manifest.allowScripts["onnxruntime-node"]).toBe(false);
  });

  test("has no install script that allowScripts in package.json does not decide about", () => {
    const undecided = Object.entries(packages)
      .filter(([place, { hasInstallScript }]) => place !== "" && hasInstallScript === true)
      .map(([place]) => nameOf(place))
      .filter((name) => !(name in manifest.allowScripts));
    expect(undecided).toEqual([]);
  });

  test("holds every optional package that a package names: npm 11 and later refuse npm ci over a gap", () => {
    const held = new Set(Object.keys(packages).map(nameOf));
    const named = Object.values(packages).flatMap(({ optionalDependencies = {} }) => Object.keys(optionalDependencies));
    expect(named.filter((name) => !held.has(name))).toEqual([]);
  });
});

const CLOSED_PORT = "http://127.0.0.1:9/";
const OUT_OF_REACH = {
  TFJS_NODE_BASE_URI: CLOSED_PORT,
  TFJS_NODE_CDN_STORAGE: CLOSED_PORT,
  // onnxruntime-node's script has a fixed address and goes through global-agent, which has variables of its own for
  // proxies.
  GLOBAL_AGENT_HTTPS_PROXY: CLOSED_PORT,
  GLOBAL_AGENT_HTTP_PROXY: CLOSED_PORT,
};

const isAsked = process.env["POLYRNN_INSTALL_TEST"] === "1";
const isCheckout = existsSync(join(ROOT, ".git"));
if (!isAsked) console.log("install tests skipped: they take minutes; set POLYRNN_INSTALL_TEST=1");
else if (!isCheckout) console.log("install tests skipped: this is not a git checkout, there is nothing to clone");

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs npm or npx as from a fresh shell: nothing of the npm that started these tests is passed on. */
function run(
  command: "npm" | "npx",
  words: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const inherited = Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) =>
        !/^(npm_(?!config_)|npm_config_(local_prefix|prefix|global_prefix|noproxy)$|INIT_CWD$|POLYRNN_|ONNXRUNTIME_|VITEST|NODE_OPTIONS$|NODE_ENV$)/i.test(
          name,
        ),
    ),
  );
  return new Promise((resolve, reject) => {
    const child = spawn(command, words, {
      cwd,
      env: { ...inherited, ...OUT_OF_REACH, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      shell: process.platform === "win32",
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.on("error", reject);
    child.on("close", (code) => {
      resolve({ code, stdout, stderr });
    });
  });
}

function expectSuccess(ended: Ended): Ended {
  expect(ended.code, `${ended.stderr}\n${ended.stdout}`).toBe(0);
  return ended;
}

/** `npx polyrnn` without a network: the project's own command is there. */
const polyrnn = async (words: readonly string[], cwd: string): Promise<Ended> =>
  expectSuccess(await run("npx", ["polyrnn", ...words], cwd, { npm_config_offline: "true" }));

/** Draws the bundled scenes with the bundled model and looks at the polygons. */
async function expectPolygons(cwd: string, fixtures: string): Promise<void> {
  const { stdout } = await polyrnn(
    [
      "annotate",
      join(fixtures, "images"),
      "--boxes",
      join(fixtures, "boxes.json"),
      "--out",
      "drawn",
      "--json",
      "--quiet",
    ],
    cwd,
  );
  expect(JSON.parse(stdout)).toMatchObject({ failed: 0, model: "mobile" });
  const { annotations } = JSON.parse(readFileSync(join(cwd, "drawn", "annotations.json"), "utf8")) as {
    annotations: { segmentation: number[][] }[];
  };
  expect(annotations.length).toBeGreaterThan(80);
  expect(
    annotations.filter(({ segmentation }) => Array.isArray(segmentation) && (segmentation[0]?.length ?? 0) >= 6).length,
  ).toBeGreaterThan(80);
}

describe.skipIf(!isAsked || !isCheckout)("with libtensorflow and CUDA out of reach", () => {
  let folder: string;
  let clone: string;
  let installed: Ended;
  let packed: {
    readonly filename: string;
    readonly size: number;
    readonly files: readonly { readonly path: string }[];
  };

  beforeAll(async () => {
    folder = temporaryFolder();
    clone = join(folder, "clone");
    const cloned = spawnSync("git", ["clone", "--quiet", ROOT, clone], { encoding: "utf8" });
    expect(cloned.status, cloned.stderr).toBe(0);
    installed = await run("npm", ["ci"], clone);
    const { stdout } = expectSuccess(await run("npm", ["pack", "--json", "--pack-destination", folder], clone));
    // prepare writes to standard output before the list.
    [packed] = JSON.parse(stdout.slice(stdout.search(/^\[/m))) as [typeof packed];
  }, 10 * MINUTES);
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  }, 2 * MINUTES); // three installations

  test("npm ci in a clone succeeds, leaves tfjs-node-gpu out, builds, and asks nothing of the user", () => {
    expectSuccess(installed);
    expect(installed.stderr).not.toMatch(/Unknown project config|install scripts/i);
    expect(existsSync(join(clone, "node_modules", "@tensorflow", "tfjs-node-gpu"))).toBe(false);
    expect(existsSync(join(clone, "dist", "cli", "main.js"))).toBe(true);
  });

  test(
    "npx polyrnn annotate works in that clone, without a network",
    async () => {
      await expectPolygons(clone, "fixtures");
      expect(existsSync(join(clone, "drawn", "overlays"))).toBe(true);
    },
    5 * MINUTES,
  );

  test("the package has what runs and a sample, nothing that only tests need", () => {
    const paths = packed.files.map(({ path }) => path);
    expect(paths).toEqual(
      expect.arrayContaining([
        "bin/package.json", // what makes bin/polyrnn.js CommonJS
        "bin/polyrnn.js",
        "bin/start.mjs",
        "dist/cli/main.js",
        "models/mobile/model.safetensors",
        "fixtures/boxes.json",
        "LICENSE",
        "README.md",
        "scripts/before-install.mjs",
        "scripts/other-platforms.mjs",
        "scripts/slim-install.mjs",
        "dist/index.d.ts",
        "dist/schemas/run.json",
        "dist/page/chart.LICENSES.txt",
      ]),
    );
    expect(
      paths.filter(
        (path) =>
          path.includes("/.") ||
          !/^(bin|dist|models|fixtures\/images)\/|^fixtures\/boxes\.json$|^scripts\/(before-install|slim-install|other-platforms)\.mjs$|^package\.json$|^[A-Z]+(\.md)?$/.test(
            path,
          ),
      ),
    ).toEqual([]);
    expect(packed.size).toBeLessThan(12e6);
  });

  // npm 10 comes with Node 20 and 22; the npm at hand may be a later one.
  test(
    "npm 10 installs from a registry, and version, doctor and annotate work",
    async () => {
      const registry = await startRegistry(join(folder, packed.filename));
      const cwd = emptyProject(folder, "from-registry");
      try {
        const words = ["--yes", "npm@10", "install", "polyrnn", "--registry", registry.url, "--no-audit", "--no-fund"];
        expectSuccess(await run("npx", words, cwd, { npm_config_noproxy: "127.0.0.1" }));
      } finally {
        registry.server.close();
      }
      expect((await polyrnn(["--version"], cwd)).stdout).toContain(manifest.version);
      const doctor = JSON.parse((await polyrnn(["doctor", "--json"], cwd)).stdout) as {
        devices: { engine: string; device: string; works: boolean }[];
      };
      expect(doctor.devices).toContainEqual(
        expect.objectContaining({ engine: "onnxruntime", device: "cpu", works: true }),
      );
      await expectPolygons(cwd, join("node_modules", "polyrnn", "fixtures"));
    },
    10 * MINUTES,
  );

  test(
    "npm installs the packed tarball without the NuGet feed, and the command works",
    async () => {
      const cwd = emptyProject(folder, "from-tarball");
      expectSuccess(await run("npm", ["install", join(folder, packed.filename), "--no-audit", "--no-fund"], cwd));
      await expectPolygons(cwd, join("node_modules", "polyrnn", "fixtures"));
    },
    10 * MINUTES,
  );

  test.each(["from-registry", "from-tarball"])(
    "the installation %s is 150 MB at most, draws charts, and is a library",
    (name) => {
      const cwd = join(folder, name);
      const node = (...words: string[]): string => {
        const { status, stdout, stderr } = spawnSync(process.execPath, words, { cwd, encoding: "utf8" });
        expect(status, stderr).toBe(0);
        return stdout;
      };
      // TensorFlow.js is optional: it trains, and reaches CUDA.
      const optional = join(cwd, "node_modules", "@tensorflow");
      const bytes = bytesBelow(join(cwd, "node_modules")) - (existsSync(optional) ? bytesBelow(optional) : 0);
      expect(bytes).toBeLessThan(150e6);
      for (const heavy of ["echarts", "@techstark"]) expect(existsSync(join(cwd, "node_modules", heavy))).toBe(false);
      const program = `
      import { openModel, writers } from "polyrnn";
      import { drawChart } from "./node_modules/polyrnn/dist/page/chart.js";
      const model = await openModel("mobile", { device: "cpu", threads: 1 });
      await model.close();
      console.log(model.name, Object.keys(writers).length > 4, JSON.stringify(drawChart({ name: "x" }, { name: "y" }, [])).includes("<svg"));`;
      expect(node("--input-type=module", "-e", program)).toBe("mobile true true\n");
    },
  );
});

function bytesBelow(place: string): number {
  return readdirSync(place, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}

function emptyProject(folder: string, name: string): string {
  const cwd = join(folder, name);
  mkdirSync(cwd);
  writeFileSync(join(cwd, "package.json"), JSON.stringify({ name, private: true }));
  return cwd;
}

/**
 * A registry that has this one package, described as registries do, and passes every other question on to the one npm
 * is set to.
 */
async function startRegistry(tarball: string): Promise<{ readonly server: Server; readonly url: string }> {
  const upstream = expectSuccess(await run("npm", ["config", "get", "registry"], tmpdir()))
    .stdout.trim()
    .replace(/\/$/, "");
  const bytes = readFileSync(tarball);
  const { stdout } = spawnSync("tar", ["-xzOf", tarball, "package/package.json"], { encoding: "utf8" });
  const { version, ...rest } = JSON.parse(stdout) as Manifest;
  const server = createServer((request, response) => {
    if (request.url === "/polyrnn") {
      const dist = {
        tarball: `${url}polyrnn/-/polyrnn-${version}.tgz`,
        integrity: `sha512-${createHash("sha512").update(bytes).digest("base64")}`,
      };
      const described = {
        name: "polyrnn",
        "dist-tags": { latest: version },
        versions: { [version]: { ...rest, version, dist } },
      };
      response.setHeader("content-type", "application/json").end(JSON.stringify(described));
    } else if (request.url?.startsWith("/polyrnn/-/") === true) {
      response.end(bytes);
    } else {
      response.writeHead(302, { location: `${upstream}${request.url ?? "/"}` }).end();
    }
  });
  await new Promise<void>((listening) => {
    server.listen(0, "127.0.0.1", listening);
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return { server, url };
}
