/**
 * `polyrnn review` as a person meets it, in Chromium on this machine: how long the network's way takes after a vertex was
 * let go, how long the next instance takes after Enter, alone and beside a running `annotate`; the first paint of a
 * large photograph; and the server's memory. Everything shares the machine's cores: browser, server, annotate.
 */
/* global document, fetch, requestAnimationFrame */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { chromium } from "playwright-core";
import sharp from "sharp";
import { COMMAND, median } from "./harness.mjs";
import { IMAGES, PHOTOGRAPHS, writeBoxes } from "./inputs.mjs";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
/** A person looks at an instance for that long before the first input. */
const LOOK_MS = 1000;

export async function measure({ quick }) {
  if (!existsSync(CHROMIUM)) {
    process.stderr.write(`bench review: skipped, there is no Chromium at ${CHROMIUM}\n`);
    return [];
  }
  const [latencies, memories] = quick ? [4, 20] : [50, 1000];
  const folder = mkdtempSync(join(tmpdir(), "polyrnn-bench-"));
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-gpu"] });
  try {
    const input = writeInput(folder, memories + 2 * latencies + 20);
    const run = join(folder, "run");
    await ended(annotate(input, run, "--candidates", "1"));
    const server = await serve(run);
    const alone = await walk(browser, server.address, latencies);
    const beside = annotateAgainAndAgain(input, join(folder, "beside"));
    const busy = await walk(browser, server.address, latencies);
    await beside.stop();
    const before = memoryOf(server.child.pid);
    await decideAll(server.address, memories);
    const after = memoryOf(server.child.pid);
    server.child.kill("SIGINT");
    const large = await firstPaint(browser, folder);
    return [
      {
        name: "review",
        title: "Review",
        columns: ["", "Median, ms", "95 %, ms", "n"],
        rows: [
          row("vertex let go until the network's way is drawn, alone", alone.redraw),
          row("the same beside annotate", busy.redraw),
          row("Enter until the next instance stands with its picture, alone", alone.next),
          row("the same beside annotate", busy.next),
          row("picture's first byte until it is drawn, 8,000 x 6,000 pixels", [large]),
        ],
        notes: [
          `Server: ${before} MB before, ${after} MB after ${memories} instances more (resident).`,
          `annotate runs over and over beside; a person looks for ${LOOK_MS / 1000} s at each instance.`,
        ],
      },
    ];
  } finally {
    await browser.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function row(name, values) {
  const sorted = [...values].sort((a, b) => a - b);
  const high = sorted[Math.max(0, Math.ceil(0.95 * sorted.length) - 1)];
  return [name, Math.round(median(values)), Math.round(high), values.length];
}

/** Photographs where they are, else the drawn scenes. */
function writeInput(folder, instances) {
  const boxes = join(folder, "boxes.json");
  if (!existsSync(PHOTOGRAPHS.boxes) || !existsSync(PHOTOGRAPHS.images)) {
    writeBoxes(boxes, instances);
    return { boxes, images: IMAGES };
  }
  const { images, annotations, categories } = JSON.parse(readFileSync(PHOTOGRAPHS.boxes, "utf8"));
  const taken = Array.from({ length: instances }, (_, at) => ({
    ...annotations[Math.floor((at * annotations.length) / instances)],
    id: at + 1,
  }));
  writeFileSync(boxes, JSON.stringify({ images, annotations: taken, categories }));
  return { boxes, images: PHOTOGRAPHS.images };
}

function annotate({ images, boxes }, out, ...more) {
  const words = ["annotate", images, "--boxes", boxes, "--out", out, "--overlays", "none", "--quiet", ...more];
  return spawn(process.execPath, [COMMAND, ...words], { stdio: "ignore" });
}

/** A run that begins anew whenever it ends. */
function annotateAgainAndAgain(input, out) {
  let runs = 0;
  let isOver = false;
  let child;
  const whole = (async () => {
    while (!isOver) {
      child = annotate(input, join(out, String(++runs)));
      await new Promise((resolve) => child.once("exit", resolve));
    }
  })();
  return {
    stop: () => {
      isOver = true;
      child.kill("SIGKILL");
      return whole;
    },
  };
}

async function ended(child) {
  const code = await new Promise((resolve) => child.once("exit", resolve));
  if (code !== 0 && code !== 1) throw new Error(`annotate: expected exit code 0 or 1, received ${code}`);
}

async function serve(run) {
  const child = spawn(process.execPath, [COMMAND, "review", run, "--no-open"], { stdio: ["ignore", "ignore", "pipe"] });
  let text = "";
  for await (const part of child.stderr) {
    text += part.toString();
    const address = /open (http:\S+)/.exec(text)?.[1];
    if (address !== undefined) return { child, address };
  }
  throw new Error(`review: expected an address, received ${text}`);
}

async function openPage(browser, address) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  await page.goto(address);
  await page.waitForSelector("#canvas image[href]", { state: "attached" });
  return page;
}

/** Moves a vertex of each instance, waits for the network's way, accepts. @returns milliseconds in the page's clock */
async function walk(browser, address, instances) {
  const page = await openPage(browser, address);
  const took = { redraw: [], next: [] };
  for (let at = 0; at < instances; at++) {
    await pause(LOOK_MS);
    const vertex = await page.evaluate(freeVertex);
    if (vertex !== null) {
      await page.mouse.move(vertex.x, vertex.y);
      await page.mouse.down();
      await page.mouse.move(vertex.x + 9, vertex.y + 14, { steps: 3 });
      await page.evaluate(watch, { event: "pointerup", what: "way" });
      await page.mouse.up();
      const ms = await page.evaluate("globalThis.took");
      if (ms === null) process.stderr.write(`bench review: no answer: ${await page.textContent("#status")}\n`);
      else took.redraw.push(ms);
      await pause(LOOK_MS / 2);
    }
    await page.evaluate(watch, { event: "keydown", what: "instance" });
    await page.keyboard.press("Enter");
    took.next.push(await page.evaluate("globalThis.took"));
  }
  await page.close();
  return took;
}

/** In the page: a vertex that no other one covers. */
function freeVertex() {
  for (const handle of document.querySelectorAll(".handle")) {
    const { left, top, width, height } = handle.getBoundingClientRect();
    const [x, y] = [left + width / 2, top + height / 2];
    if (document.elementFromPoint(x, y)?.closest("[data-vertex]") === handle) return { x, y };
  }
  return null;
}

/**
 * In the page: `globalThis.took` will be the time from the next such event to the frame that shows what was asked; null
 * when it takes more than ten seconds.
 */
function watch({ event, what }) {
  const svg = document.querySelector("#canvas");
  const proposal = document.querySelector("#proposal");
  const status = document.querySelector("#status");
  const { ordinal } = svg.dataset;
  const isThere = () =>
    what === "way"
      ? !proposal.hidden || status.textContent.startsWith("The network ")
      : svg.dataset.ordinal !== ordinal && svg.querySelector("image").hasAttribute("href");
  status.textContent = "";
  globalThis.took = new Promise((resolve) => {
    const began = () => {
      const from = performance.now();
      const look = () => {
        if (isThere()) requestAnimationFrame(() => resolve(performance.now() - from));
        // Another way may have come in between, and then nothing is drawn.
        else if (performance.now() - from > 10_000) resolve(null);
        else requestAnimationFrame(look);
      };
      look();
    };
    document.addEventListener(event, began, { once: true, capture: true });
  });
}

/** Opens and accepts so many instances as the page does, without a browser. */
async function decideAll(address, instances) {
  const { origin, hash } = new URL(address);
  const headers = { "x-polyrnn-token": hash.slice("#t=".length), "content-type": "application/json" };
  const api = async (path, body) => {
    const answer = await fetch(`${origin}/api/${path}`, {
      method: body === undefined ? "GET" : "PUT",
      headers,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`${path}: expected an answer, received ${answer.status} ${await answer.text()}`);
    return answer;
  };
  const json = async (path, body) => (await api(path, body)).json();
  let { next } = await json("session");
  for (let at = 0; at < instances && next !== null; at++) {
    const { rows } = await json(`queue?after=${next - 1}&limit=1`);
    const path = `instances/${rows[0].ordinal}`;
    const { revision, rings, pins, box, categoryId, spent } = await json(path);
    await (await api(`${path}/picture?margin=0.5&side=1600`)).arrayBuffer();
    const status = rings.length > 0 ? "accepted" : "rejected";
    ({ next } = await json(path, { ...spent, revision, status, rings, pins, box, categoryId }));
  }
}

/** Resident, MB; Linux only. */
function memoryOf(pid) {
  const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Math.round(Number(kilobytes) / 1024);
}

/** A photograph of 48 million pixels whose box is all of it. @returns ms from the picture's first byte to its frame */
async function firstPaint(browser, folder) {
  const images = join(folder, "large");
  mkdirSync(images);
  const [width, height] = [8000, 6000];
  await sharp(join(IMAGES, "street.jpg"))
    .resize(width, height, { fit: "fill" })
    .jpeg()
    .toFile(join(images, "large.jpg"));
  const boxes = join(folder, "large.json");
  const box = { id: 1, image_id: 1, category_id: 1, bbox: [0, 0, width, height], iscrowd: 0 };
  const record = { id: 1, file_name: "large.jpg", width, height };
  writeFileSync(
    boxes,
    JSON.stringify({ images: [record], annotations: [box], categories: [{ id: 1, name: "street" }] }),
  );
  const run = join(folder, "large-run");
  await ended(annotate({ images, boxes }, run));
  const { child, address } = await serve(run);
  const page = await openPage(browser, address);
  const took = await page.evaluate(
    () =>
      new Promise((resolve) => {
        const [picture] = performance.getEntriesByType("resource").filter(({ name }) => name.includes("side=1600"));
        requestAnimationFrame(() => requestAnimationFrame(() => resolve(performance.now() - picture.responseStart)));
      }),
  );
  await page.close();
  child.kill("SIGINT");
  return took;
}
