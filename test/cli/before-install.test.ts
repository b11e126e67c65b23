/**
 * What our preinstall does to onnxruntime-node, its install script and its libraries, in folders like those npm makes. With the real
 * packages and npm: test/process/install.test.ts.
 */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const SCRIPTS = join(import.meta.dirname, "..", "..", "scripts");
const THEIRS = 'console.log("downloading CUDA");\n';

const OWN = join(process.platform, process.arch);
const PLATFORMS = [OWN, join("haiku", "ppc"), join("haiku", "s390x")];

let project: string;
let folder: string;

beforeEach(() => {
  project = temporaryFolder();
  folder = join(project, "node_modules", "onnxruntime-node", "script");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "..", "package.json"), "{}");
  writeFileSync(join(folder, "install.js"), THEIRS);
  writeFileSync(join(project, "package.json"), JSON.stringify({ dependencies: { polyrnn: "file:polyrnn.tgz" } }));
  for (const platform of PLATFORMS) mkdirSync(join(folder, "..", "bin", "napi-v6", platform), { recursive: true });
  cpSync(SCRIPTS, join(project, "node_modules", "polyrnn", "scripts"), { recursive: true });
});

function preinstall(env: Record<string, string> = {}): { status: number | null; stderr: string } {
  return spawnSync(process.execPath, [join(project, "node_modules", "polyrnn", "scripts", "before-install.mjs")], {
    encoding: "utf8",
    env: { npm_config_local_prefix: project, ...env },
  });
}

const platformsLeft = (): string[] =>
  PLATFORMS.filter((platform) => existsSync(join(folder, "..", "bin", "napi-v6", platform)));

const postinstall = (env: Record<string, string> = {}, words: readonly string[] = []): string =>
  spawnSync(process.execPath, [join(folder, "install"), ...words], { encoding: "utf8", env }).stdout;

test("nothing is downloaded unless a setting asks for it, also after a second install", () => {
  expect(preinstall()).toMatchObject({ status: 0, stderr: "" });
  expect(preinstall()).toMatchObject({ status: 0, stderr: "" });
  expect(postinstall()).toBe("");
  for (const env of [
    { ONNXRUNTIME_NODE_INSTALL: "1" },
    { ONNXRUNTIME_NODE_INSTALL_CUDA: "v12" },
    { npm_config_onnxruntime_node_install: "cuda12" },
  ])
    expect(postinstall(env)).toBe("downloading CUDA\n");
  expect(postinstall({}, ["--onnxruntime-node-install=cuda12"])).toBe("downloading CUDA\n");
});

test("the libraries of other platforms are removed", () => {
  expect(preinstall()).toMatchObject({ status: 0, stderr: "" });
  expect(platformsLeft()).toEqual([OWN]);
});

test.each([
  { what: "POLYRNN_KEEP_PLATFORMS keeps them", env: { POLYRNN_KEEP_PLATFORMS: "1" }, left: PLATFORMS },
  {
    what: "an installation for another machine keeps that one's",
    env: { npm_config_os: "haiku", npm_config_cpu: "ppc" },
    left: [join("haiku", "ppc")],
  },
  { what: "a platform that the package does not know keeps all", env: { npm_config_os: "amiga" }, left: PLATFORMS },
])("$what", ({ env, left }) => {
  expect(preinstall(env as Record<string, string>)).toMatchObject({ status: 0, stderr: "" });
  expect(platformsLeft()).toEqual(left);
});

test("a project that depends on onnxruntime-node itself gets what that package does", () => {
  writeFileSync(join(project, "package.json"), JSON.stringify({ dependencies: { "onnxruntime-node": "1.30.0" } }));
  expect(preinstall()).toMatchObject({ status: 0, stderr: "" });
  expect(readFileSync(join(folder, "install.js"), "utf8")).toBe(THEIRS);
  expect(platformsLeft()).toEqual(PLATFORMS);
});

test.each([
  { what: "there is no onnxruntime-node", path: "node_modules/onnxruntime-node" },
  { what: "it has no install script", path: "node_modules/onnxruntime-node/script" },
  { what: "the project has no package.json", path: "package.json" },
])("an installation goes on where $what", ({ path }) => {
  rmSync(join(project, path), { recursive: true });
  expect(preinstall()).toMatchObject({ status: 0, stderr: "" });
});

test("what cannot be done is said and fails nothing", () => {
  writeFileSync(join(project, "package.json"), "{");
  const { status, stderr } = preinstall();
  expect(status).toBe(0);
  expect(stderr).toContain("polyrnn: onnxruntime-node stays as it is, and may download CUDA: ");
  expect(existsSync(join(folder, "install-from-nuget.js"))).toBe(false);
});

test("the real package runs the script that is replaced", () => {
  const real = join(import.meta.dirname, "..", "..", "node_modules", "onnxruntime-node");
  const { scripts } = JSON.parse(readFileSync(join(real, "package.json"), "utf8")) as {
    scripts: Record<string, string>;
  };
  expect(scripts["postinstall"]).toBe("node ./script/install");
  expect(existsSync(join(real, "script", "install.js"))).toBe(true);
});
