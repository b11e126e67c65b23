/** Of workers that tests run in process: on one thread, near, and quick to notice that somebody else is gone. */
export const WORKER_OPTIONS = {
  device: "cpu",
  threads: 1,
  stalledAfterMs: 2000,
  metricsHost: "127.0.0.1",
  maxBytes: 1e6,
  timeoutMs: 1000,
  allowPrivateAddresses: false,
} as const;
