import type { RequestListener } from "node:http";
import { createServer } from "node:http";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { AddressInfo, Socket } from "node:net";
import { createServer as createSocketServer } from "node:net";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import type { Fetched, FetchLimits } from "../../src/queue/fetch-image.js";
import { fetchImage } from "../../src/queue/fetch-image.js";
import { isPrivateAddress } from "../../src/queue/fetch-image.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

test.each([
  "127.0.0.1",
  "10.1.2.3",
  "172.31.255.255",
  "192.168.0.1",
  "169.254.169.254",
  "100.64.0.1",
  "0.0.0.0",
  "224.0.0.1",
  "255.255.255.255",
  "::1",
  "::",
  "fe80::1",
  "fd00::1",
  "::ffff:127.0.0.1",
  "::ffff:a00:1",
  "64:ff9b::7f00:1",
  "2002:7f00:1::",
  // from the IANA registries
  "::ffff:0:8.8.8.8",
  "64:ff9b:1::1",
  "100::1",
  "100:0:0:1::1",
  "2001::1",
  "2001:2::1",
  "2001:10::1",
  "2001:20::1",
  "2001:2f:ffff::1",
  "2001:30::1",
  "2001:db8::1",
  "2620:4f:8000::1",
  "3fff::1",
  "3fff:fff:ffff::1",
  "5f00::1",
  "fec0::1",
  "ff02::1",
  "fe80::1%eth0",
  "4000::1",
  "192.31.196.1",
  "192.52.193.1",
  "192.88.99.1",
  "192.175.48.1",
  "198.19.0.1",
  "no address",
])("%s is private", (address) => {
  expect(isPrivateAddress(address)).toBe(true);
});
test.each(["8.8.8.8", "172.32.0.1", "1.1.1.1", "2606:4700::1111", "2001:200::1", "2a00:1450::1", "::ffff:8.8.8.8"])(
  "%s is public",
  (address) => {
    expect(isPrivateAddress(address)).toBe(false);
  },
);

let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
});

const OPEN = { maxBytes: 1000, timeoutMs: 2000, allowPrivateAddresses: true };

async function fetchFrom(answer: RequestListener, limits = OPEN, path = "/a.jpg"): Promise<Fetched> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    return await fetchImage(
      `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}?token=secret`,
      join(folder, "image"),
      limits,
    );
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test("an image is fetched as it is, over a redirect too", async () => {
  const fetched = await fetchFrom((request, response) => {
    if (request.url!.startsWith("/a.jpg")) response.writeHead(302, { location: "/b.jpg" }).end();
    else response.end("pixels");
  });
  expect(fetched).toEqual({ kind: "fetched" });
  expect(readFileSync(join(folder, "image"), "utf8")).toBe("pixels");
});

interface BadAnswer {
  why: string;
  reason: string;
  transient: boolean;
  answer: RequestListener;
}
const BAD_ANSWERS: readonly BadAnswer[] = [
  {
    why: "a length above the limit",
    reason: "image-too-large",
    transient: false,
    answer: (_, response) => {
      response.end("x".repeat(1001));
    },
  },
  {
    why: "more bytes than announced to nobody",
    reason: "image-too-large",
    transient: false,
    answer: (_, response) => {
      for (let i = 0; i < 20; i++) response.write("x".repeat(100));
      response.end();
    },
  },
  {
    why: "404",
    reason: "image-missing",
    transient: false,
    answer: (_, response) => {
      response.writeHead(404).end();
    },
  },
  {
    why: "503",
    reason: "image-unreadable",
    transient: true,
    answer: (_, response) => {
      response.writeHead(503).end();
    },
  },
  {
    why: "a circle of redirects",
    reason: "image-unreadable",
    transient: false,
    answer: (_, response) => {
      response.writeHead(302, { location: "/a.jpg" }).end();
    },
  },
  {
    why: "an image that was compressed once more",
    reason: "image-unreadable",
    transient: false,
    answer: (_, response) => {
      response.writeHead(200, { "content-encoding": "gzip" }).end("image");
    },
  },
  {
    why: "a redirect to a file",
    reason: "image-outside",
    transient: false,
    answer: (_, response) => {
      response.writeHead(302, { location: "file:///etc/passwd" }).end();
    },
  },
  { why: "a server that says nothing", reason: "image-unreadable", transient: true, answer: () => undefined },
  {
    why: "a connection that breaks off",
    reason: "image-unreadable",
    transient: true,
    answer: (_, response) => {
      response.writeHead(200, { "content-length": "500" });
      response.write("x");
      setTimeout(() => {
        response.destroy();
      }, 50);
    },
  },
];

test.each(BAD_ANSWERS)(
  "$why is a failure with its reason, and no secret of the address is told",
  async ({ answer, reason, transient }) => {
    const fetched = await fetchFrom(answer, { ...OPEN, timeoutMs: 1000 });
    expect(fetched).toMatchObject({ kind: "failed", isTransient: transient, failure: { reason } });
    expect(JSON.stringify(fetched)).not.toContain("secret");
  },
);

test.each([
  "http://127.0.0.1:1/a.jpg",
  "http://2130706433:1/a.jpg",
  "http://0x7f.1:1/",
  "http://[::1]:1/",
  "http://[::ffff:127.0.0.1]:1/",
  "http://localhost:1/a.jpg",
  "http://169.254.169.254/latest/meta-data",
])("%s is not asked unless private addresses are allowed", async (address) => {
  const fetched = await fetchImage(address, join(folder, "image"), { ...OPEN, allowPrivateAddresses: false });
  expect(fetched).toMatchObject({ kind: "failed", failure: { reason: "image-outside" } });
});

/** A server below HTTP. */
async function fetchFromSocket(answer: (socket: Socket) => void, limits: FetchLimits = OPEN): Promise<Fetched> {
  const sockets = new Set<Socket>();
  const server = createSocketServer((socket) => {
    sockets.add(socket);
    socket
      .on("error", () => undefined)
      .once("data", () => {
        answer(socket);
      });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const { port } = server.address() as AddressInfo;
    return await fetchImage(`http://127.0.0.1:${port}/a.jpg?secret`, join(folder, "image"), limits);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

/** Says it again and again until nobody listens. */
function drip(socket: Socket, text: string, everyMs: number): void {
  const timer = setInterval(() => socket.write(text), everyMs);
  socket.on("close", () => {
    clearInterval(timer);
  });
}

test.each<{ why: string; answer: (socket: Socket) => void }>([
  {
    why: "101 Switching Protocols",
    answer: (socket) => socket.write("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"),
  },
  { why: "101 without an upgrade header", answer: (socket) => socket.write("HTTP/1.1 101 Hm\r\n\r\n") },
  {
    why: "101 and the end",
    answer: (socket) => socket.end("HTTP/1.1 101 Hm\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"),
  },
  {
    why: "interim answers without end",
    answer: (socket) => {
      drip(socket, "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(100), 5);
    },
  },
  {
    why: "one interim answer and silence",
    answer: (socket) => socket.write("HTTP/1.1 100 Continue\r\n\r\n"),
  },
  {
    why: "headers that never end",
    answer: (socket) => {
      socket.write("HTTP/1.1 200 OK\r\n");
      drip(socket, "x: y\r\n", 20);
    },
  },
  { why: "a header of a megabyte", answer: (socket) => socket.write(`HTTP/1.1 200 OK\r\nx: ${"y".repeat(1e6)}`) },
  {
    why: "a body that drips",
    answer: (socket) => {
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n");
      drip(socket, "x", 20);
    },
  },
  {
    why: "chunks of nothing",
    answer: (socket) => {
      socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
      drip(socket, "1\r\nx\r\n", 20);
    },
  },
  { why: "no HTTP", answer: (socket) => socket.write("220 ready\r\n") },
  { why: "the end at once", answer: (socket) => socket.end() },
  { why: "a reset", answer: (socket) => socket.resetAndDestroy() },
])("$why ends in time, as a failure with its reason", async ({ answer }) => {
  const before = performance.now();
  const fetched = await fetchFromSocket(answer, { ...OPEN, timeoutMs: 500 });
  expect(fetched).toMatchObject({ kind: "failed", failure: { reason: "image-unreadable" } });
  expect(JSON.stringify(fetched)).not.toContain("secret");
  expect(performance.now() - before).toBeLessThan(20_000);
});

test("a stop gives up at once, long before the time is over", async () => {
  const stop = new AbortController();
  setTimeout(() => {
    stop.abort();
  }, 100);
  const before = performance.now();
  const fetched = await fetchFromSocket(() => undefined, { ...OPEN, timeoutMs: 60_000, stop: stop.signal });
  expect(fetched.kind).toBe("failed");
  expect(performance.now() - before).toBeLessThan(20_000);
});

test("what is no address is a failure, too", async () => {
  expect(await fetchImage("http://[", join(folder, "image"), OPEN)).toMatchObject({ kind: "failed" });
});

test("a temporary folder that takes no file is named, and not the server", async () => {
  const server = createServer((_, response) => response.end("image")).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/a.jpg`;
  const fetched = await fetchImage(address, join(folder, "gone", "0"), OPEN);
  server.close();
  expect(fetched).toMatchObject({
    isTransient: true,
    failure: {
      message: expect.stringMatching(/in the worker's temporary folder, received ENOENT\. Make room/) as string,
    },
  });
});
