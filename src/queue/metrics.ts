/** What a worker counts, and the Prometheus text endpoint that shows it. */
import { createServer } from "node:http";
import { Counter, Gauge, Registry } from "prom-client";
import { cannotWrite, reasonOf } from "../errors.js";
import { listen, REQUEST_LIMITS, targetOf } from "../serve.js";
import type { JobResult } from "./job.js";

export type JobFate = "done" | "failed" | "rejected" | "given-back";

export class WorkerMetrics {
  readonly registry = new Registry();
  instances = 0;
  failed = 0;
  private readonly outcomes = new Counter({
    name: "polyrnn_instances_total",
    help: "Instances by what became of them",
    labelNames: ["status"],
    registers: [this.registry],
  });
  private readonly failures = new Counter({
    name: "polyrnn_failures_total",
    help: "Failed instances by reason",
    labelNames: ["reason"],
    registers: [this.registry],
  });
  private readonly seconds = new Counter({
    name: "polyrnn_stage_seconds_total",
    help: "Seconds per stage; stages overlap",
    labelNames: ["stage"],
    registers: [this.registry],
  });
  private readonly jobs = new Counter({
    name: "polyrnn_jobs_total",
    help: "Jobs by what became of them; rejected ones were not ours",
    labelNames: ["fate"],
    registers: [this.registry],
  });

  /** @param depth jobs of the worker's queue by state, asked at every scrape; may fail */
  constructor(depth: () => Promise<Readonly<Record<string, number>>>) {
    for (const fate of ["done", "failed", "rejected", "given-back"] satisfies JobFate[]) this.jobs.inc({ fate }, 0);
    new Gauge({
      name: "polyrnn_queue_jobs",
      help: "Jobs of this model's queue by state",
      labelNames: ["state"],
      registers: [this.registry],
      async collect() {
        this.reset();
        for (const [state, count] of Object.entries(await depth().catch(() => ({})))) this.set({ state }, count);
      },
    });
  }

  countJob(fate: JobFate): void {
    this.jobs.inc({ fate });
  }

  countResult({ outcomes, milliseconds }: JobResult): void {
    for (const outcome of outcomes) {
      this.instances++;
      this.outcomes.inc({ status: outcome.status });
      if (outcome.status !== "failed") continue;
      this.failed++;
      this.failures.inc({ reason: outcome.reason });
    }
    for (const [stage, ms] of Object.entries(milliseconds)) this.seconds.inc({ stage }, ms / 1000);
  }
}

export interface MetricsEndpoint {
  readonly port: number;
  close(): Promise<void>;
}

/** @param port 0 takes any free one @throws when the port cannot be listened on */
export async function serveMetrics(registry: Registry, host: string, port: number): Promise<MetricsEndpoint> {
  // Scrapes that come while one is answered get the same answer: each of them asks Redis.
  let answer: Promise<string> | undefined;
  const server = createServer(REQUEST_LIMITS, (request, response) => {
    const path = targetOf(request.url)?.pathname;
    if (path === undefined) {
      response.writeHead(400, PLAIN).end("Expected a path such as /metrics.\n");
      return;
    }
    if (request.method !== "GET" || path !== "/metrics") {
      response.writeHead(404, PLAIN).end("Metrics are at /metrics.\n");
      return;
    }
    answer ??= registry.metrics().finally(() => {
      answer = undefined;
    });
    answer.then(
      (text) => {
        response.writeHead(200, { "content-type": registry.contentType }).end(text);
      },
      () => {
        response.writeHead(500).end();
      },
    );
  });
  try {
    await listen(server, host, port);
  } catch (error) {
    throw cannotWrite(
      `--metrics-port ${port}: cannot listen on ${host}: ${reasonOf(error)}`,
      "Name another port; 0 takes a free one.",
      error,
    );
  }
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

const PLAIN = { "content-type": "text/plain" };
