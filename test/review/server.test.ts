/** Every row of the security table with raw requests: what a hostile web site or page could send. */
import { connect } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { InstanceView } from "../../src/review/api.js";
import type { ReviewServer } from "../../src/review/server.js";
import { MOST_BODY_BYTES, startServer } from "../../src/review/server.js";
import type { ReviewSession } from "../../src/review/session.js";
import { accept, firstOf, linesOf, newRun, ONE_PAGE, openReview, send } from "./reviews.js";

const bodyOf = (received: { body: Buffer }): Record<string, unknown> =>
  JSON.parse(received.body.toString()) as Record<string, unknown>;

let session: ReviewSession;
let server: ReviewServer;
let folder: string;

beforeAll(async () => {
  folder = await newRun();
  session = await openReview(folder);
  server = await startServer(session, { port: 0, files: ONE_PAGE, note: () => undefined });
});
afterAll(async () => {
  await server.close();
  await session.close();
});

/** An instance that nobody has touched, and how many lines the review has. */
async function openInstance(): Promise<{ ordinal: number; view: InstanceView; lines: number }> {
  const ordinal = firstOf(session.queuePage(session.session().next! - 1, 1));
  return { ordinal, view: await session.instance(ordinal), lines: (await linesOf(folder)).length };
}

test("only this machine's own names are answered, on pages as on data", async () => {
  const good = [`127.0.0.1:${server.port}`, `localhost:${server.port}`];
  const bad = [
    "evil.example",
    `evil.example:${server.port}`,
    "127.0.0.1",
    `127.0.0.1.evil.example:${server.port}`,
    "[::1]:80",
    `0.0.0.0:${server.port}`,
  ];
  for (const path of ["/", "/api/session"]) {
    for (const host of good) expect((await send(server, path, { headers: { host } })).status).toBe(200);
    for (const host of bad) {
      const refused = await send(server, path, { headers: { host } });
      expect([host, refused.status, bodyOf(refused)["code"]]).toEqual([host, 403, "E_HOST"]);
    }
  }
});

test("a request without a Host is refused", async () => {
  const text = await new Promise<string>((resolve) => {
    const socket = connect(server.port, "127.0.0.1", () => socket.write("GET /api/session HTTP/1.0\r\n\r\n"));
    let received = "";
    socket.on("data", (part) => (received += part.toString()));
    socket.on("close", () => {
      resolve(received);
    });
  });
  expect(text).toMatch(/^HTTP\/1\.1 40[03] /);
});

test("the server listens on 127.0.0.1 and on nothing else", async () => {
  const fails = await new Promise<boolean>((resolve) => {
    const socket = connect(server.port, "::1", () => {
      resolve(false);
      socket.destroy();
    });
    socket.on("error", () => {
      resolve(true);
    });
  });
  expect(fails).toBe(true);
});

test("data needs the token, whole and in its header; the page needs none and holds no data", async () => {
  const { ordinal } = await openInstance();
  const { token } = server;
  expect(token).toMatch(/^[0-9a-f]{32}$/);
  expect(server.address).toBe(`http://127.0.0.1:${server.port}/#t=${token}`);
  const wrong = [undefined, "", token.slice(1), `${token}0`, token.toUpperCase() === token ? "x" : token.toUpperCase()];
  for (const path of [
    "session",
    "queue",
    `instances/${ordinal}`,
    `instances/${ordinal}/picture`,
    "statistics",
    "nothing",
  ])
    for (const value of wrong) {
      const headers: Record<string, string> = value === undefined ? {} : { "x-polyrnn-token": value };
      const refused = await send(server, `/api/${path}?t=${token}`, { headers, withToken: false });
      expect([path, refused.status]).toEqual([path, 401]);
    }
  expect((await send(server, "/", { withToken: false })).status).toBe(200);
});

test("requests of other sites are refused even with the token", async () => {
  const { ordinal, view } = await openInstance();
  const body = JSON.stringify(accept(view));
  const origin = `http://127.0.0.1:${server.port}`;
  for (const headers of [
    { origin: "https://evil.example" },
    { origin: "null" },
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
  ]) {
    const sent: Record<string, string> = headers;
    expect((await send(server, `/api/instances/${ordinal}`, { method: "PUT", body, headers: sent })).status).toBe(403);
  }
  const own = { origin, "sec-fetch-site": "same-origin" };
  expect((await send(server, `/api/instances/${ordinal}`, { method: "PUT", body, headers: own })).status).toBe(200);
});

test("no answer invites another site, and every answer carries the page's rules", async () => {
  for (const path of ["/", "/api/session", "/nothing", "/api/nothing"]) {
    const { headers } = await send(server, path, { headers: { origin: `http://localhost:${server.port}` } });
    expect(Object.keys(headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
    expect(headers).toMatchObject({
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cache-control": "no-store",
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-resource-policy": "same-origin",
    });
    expect(headers["content-security-policy"]).toContain("default-src 'none'; script-src 'self'");
    expect(headers["content-security-policy"]).not.toContain("unsafe");
  }
  const preflight = await send(server, "/api/session", { method: "OPTIONS" });
  expect(preflight.status).toBe(415);
});

test("writes are JSON, as a form or a plain text cannot send it", async () => {
  const { ordinal, view, lines } = await openInstance();
  const body = JSON.stringify(accept(view));
  for (const type of [
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/jsonp",
  ]) {
    const refused = await send(server, `/api/instances/${ordinal}`, {
      method: "PUT",
      body,
      headers: { "content-type": type },
    });
    expect([type, refused.status]).toEqual([type, 415]);
  }
  expect(await linesOf(folder)).toHaveLength(lines);
});

test("a body that is too long, too deep or no JSON is refused and changes nothing", async () => {
  const { ordinal, lines } = await openInstance();
  const path = `/api/instances/${ordinal}`;
  const long = await send(server, path, { method: "PUT", body: `"${"x".repeat(MOST_BODY_BYTES)}"` });
  expect([long.status, bodyOf(long)["code"]]).toEqual([413, "E_BODY"]);
  for (const body of ["", "{", "[".repeat(1000), "{'a':1}"])
    expect([body.slice(0, 5), (await send(server, path, { method: "PUT", body })).status]).toEqual([
      body.slice(0, 5),
      400,
    ]);
  for (const body of ["null", "[]", "{}", "7"])
    expect((await send(server, path, { method: "PUT", body })).status).toBe(422);
  expect(await linesOf(folder)).toHaveLength(lines);
});

test("every number is checked: none that is too large, missing or no number is taken", async () => {
  const { ordinal, view, lines } = await openInstance();
  const good = { ...accept(view) };
  const point = { x: 1, y: 1 };
  const changes: Record<string, unknown>[] = [
    { revision: -1 },
    { revision: 1.5 },
    { revision: "0" },
    { activeMs: -1 },
    { activeMs: 1e12 },
    { activeMs: null },
    { status: "done" },
    { rings: [Array(501).fill(point)] },
    { rings: [[point, point]] },
    { rings: [[{ x: 1, y: 1, z: 1 }, point, point]] },
    { rings: [[{ x: 1e300, y: 1 }, point, point]] },
    { rings: [view.rings[0], view.rings[0]] },
    { box: [0, 0, 0, 0] },
    { box: [1, 2, 3] },
    { pins: [[999]] },
    { pins: [[400]] },
    { counts: { move: 1 } },
    { reason: "because" },
    { path: "/etc/passwd" },
    { categoryId: {} },
  ];
  for (const change of changes) {
    const body = JSON.stringify({ ...good, ...change });
    const refused = await send(server, `/api/instances/${ordinal}`, { method: "PUT", body });
    expect([body.slice(0, 60), refused.status]).toEqual([body.slice(0, 60), 422]);
  }
  const redraw = { request: 1, revision: 0, ring: view.rings[0], pins: [], moved: 0, give: "pin" };
  for (const change of [
    { moved: 400 },
    { pins: [-1] },
    { give: "everything" },
    { candidate: 1e6 },
    { length: -1 },
    { ring: [] },
    { box: [0, 0, -5, 5] },
  ]) {
    const body = JSON.stringify({ ...redraw, ...change });
    expect([body, (await send(server, `/api/instances/${ordinal}/redraw`, { method: "POST", body })).status]).toEqual([
      body,
      422,
    ]);
  }
  expect(await linesOf(folder)).toHaveLength(lines);
});

test("no path of a request reaches the file system", async () => {
  for (const path of [
    "/../package.json",
    "/%2e%2e/package.json",
    "/review/page/../../../package.json",
    "//etc/passwd",
    "/C:/x",
    "/run.json",
    "/journal.ndjson",
  ])
    expect([path, (await send(server, path)).status]).toEqual([path, 404]);
  for (const path of [
    "instances/..%2f..%2frun.json",
    "instances/-1",
    "instances/1e3",
    "instances/99999",
    "instances/0x1/picture",
    "instances//picture",
  ])
    expect([path, (await send(server, `/api/${path}`)).status]).toEqual([path, 404]);
});

test("a target that is no path is answered with 400, and the review goes on", async () => {
  for (const target of ["//", "///", "//[", "http://", "http://[/api/session", "//:0x/api/session"]) {
    const text = await raw(server.port, `GET ${target} HTTP/1.1\r\nhost: localhost:${server.port}\r\n`);
    expect([target, text.slice(0, 12)]).toEqual([target, "HTTP/1.1 400"]);
  }
  expect((await send(server, "/api/session")).status).toBe(200);
});

/** @param head of a request; the end of the headers is added */
function raw(port: number, head: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(`${head}connection: close\r\n\r\n`));
    let received = "";
    socket.on("data", (part) => (received += part.toString()));
    socket.on("close", () => {
      resolve(received);
    });
  });
}

test("the picture is a JPEG of box and margin, as large as asked for", async () => {
  const { ordinal, view } = await openInstance();
  const { status, headers, body } = await send(server, `/api/instances/${ordinal}/picture?margin=0.5&side=1600`);
  expect([status, headers["content-type"]]).toEqual([200, "image/jpeg"]);
  const { default: sharp } = await import("sharp");
  expect(await sharp(body).metadata()).toMatchObject({ width: view.view.width, height: view.view.height });
  for (const query of ["margin=-1", "margin=x", "side=99999", "side=", "margin=NaN"])
    expect((await send(server, `/api/instances/${ordinal}/picture?${query}`)).status).toBe(400);
});

test("a stale decision is answered with what is in force, an older redraw with 499", async () => {
  const { ordinal, view } = await openInstance();
  const path = `/api/instances/${ordinal}`;
  const ring = view.rings[0];
  const redraw = (request: number): ReturnType<typeof send> =>
    send(server, `${path}/redraw`, {
      method: "POST",
      body: JSON.stringify({ request, revision: 0, ring, pins: [], moved: 0, give: "pin" }),
    });
  const newer = await redraw(5);
  expect(bodyOf(newer)).toMatchObject({ request: 5, moved: expect.any(Number) as number });
  expect((await redraw(4)).status).toBe(499);
  const body = JSON.stringify(accept(view));
  expect(bodyOf(await send(server, path, { method: "PUT", body }))).toMatchObject({ revision: 1 });
  const stale = await send(server, path, { method: "PUT", body });
  expect([stale.status, bodyOf(stale)]).toMatchObject([409, { code: "E_STALE", current: { revision: 1 } }]);
  expect((await send(server, path, { method: "DELETE", body: "{}" })).status).toBe(405);
  const { revision } = session.session();
  const undone = await send(server, "/api/undo", { method: "POST", body: JSON.stringify({ revision }) });
  expect(bodyOf(undone)).toMatchObject({ ordinal, status: "open", revision: 2 });
});
