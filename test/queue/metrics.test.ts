/** The metrics endpoint stands whatever is sent to it. */
import { once } from "node:events";
import { connect } from "node:net";
import { Registry } from "prom-client";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { MetricsEndpoint } from "../../src/queue/metrics.js";
import { serveMetrics } from "../../src/queue/metrics.js";

let endpoint: MetricsEndpoint;
beforeAll(async () => {
  endpoint = await serveMetrics(new Registry(), "127.0.0.1", 0);
});
afterAll(() => endpoint.close());

async function send(text: string): Promise<string> {
  const socket = connect(endpoint.port, "127.0.0.1");
  let answer = "";
  socket.setEncoding("utf8").on("data", (part: string) => (answer += part));
  socket.on("error", () => undefined).write(text);
  socket.end();
  await once(socket, "close");
  return answer;
}

const line = (target: string): string => `GET ${target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`;

test.each([
  { target: "/metrics", status: 200 },
  { target: "/metrics?x=1", status: 200 },
  { target: "http://other/metrics", status: 200 },
  { target: "/", status: 404 },
  { target: "/%zz", status: 404 },
  { target: "//", status: 400 },
  { target: "///", status: 400 },
  { target: "//[", status: 400 },
  { target: "//:0x/metrics", status: 400 },
  { target: "http://", status: 400 },
  { target: "http://[/metrics", status: 400 },
])("GET $target is answered with $status", async ({ target, status }) => {
  expect(await send(line(target))).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
});

test.each([
  { what: "no HTTP", text: "hello\r\n\r\n" },
  { what: "a line without a target", text: "GET HTTP/1.1\r\n\r\n" },
  { what: "an unknown method", text: "BREW / HTTP/1.1\r\n\r\n" },
  { what: "a NUL", text: "GET /\0 HTTP/1.1\r\n\r\n" },
  { what: "two lengths", text: "GET / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n" },
  { what: "headers of a megabyte", text: `GET / HTTP/1.1\r\nx: ${"y".repeat(1e6)}\r\n\r\n` },
  { what: "an upgrade", text: "GET // HTTP/1.1\r\nhost: x\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n" },
])("$what is answered with 4xx or nothing", async ({ text }) => {
  expect(await send(text)).toMatch(/^(?:HTTP\/1\.1 4\d\d [^]*)?$/);
});

test("CONNECT and half a request do no harm, and the endpoint still answers", async () => {
  await send("CONNECT // HTTP/1.1\r\nhost: x\r\n\r\n");
  await send("GET /metr");
  expect(await send(line("/metrics"))).toContain("200 OK");
});
