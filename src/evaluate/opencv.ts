/**
 * OpenCV as WebAssembly (npm: @techstark/opencv-js), loaded when GrabCut is asked for and not before: it is 8 MB of code.
 * Only what is used here has a type; whoever makes a matrix deletes it, because WebAssembly memory is not collected.
 */
import { createRequire } from "node:module";
import { reasonOf, unavailable } from "../errors.js";

export interface Mat {
  readonly rows: number;
  readonly cols: number;
  /** [rows, cols, channels] uint8; moves when OpenCV's memory grows: ask for it again after every call. */
  readonly data: Uint8Array;
  delete(): void;
}

export interface OpenCv {
  readonly Mat: new (rows?: number, cols?: number, type?: number) => Mat;
  readonly Rect: new (x: number, y: number, width: number, height: number) => object;
  readonly Size: new (width: number, height: number) => object;
  readonly CV_8UC3: number;
  readonly GC_INIT_WITH_RECT: number;
  readonly INTER_AREA: number;
  readonly INTER_NEAREST: number;
  grabCut(
    image: Mat,
    mask: Mat,
    rect: object,
    background: Mat,
    foreground: Mat,
    iterations: number,
    mode: number,
  ): void;
  resize(from: Mat, to: Mat, size: object, fx: number, fy: number, interpolation: number): void;
  setRNGSeed(seed: number): void;
  /** Text of a thrown number: C++ exceptions arrive as addresses. */
  exceptionFromPtr(address: number): { readonly msg: string };
}

type Loading = OpenCv & { onRuntimeInitialized?: () => void };
const EVENTS = ["uncaughtException", "unhandledRejection"] as const;

/**
 * In an object of its own, because OpenCV's has a method `then`: a promise that resolved to it would wait for ever.
 * @throws E_UNAVAILABLE when the package is not installed or does not start
 */
export async function loadOpenCv(): Promise<{ readonly cv: OpenCv }> {
  const before = new Map(EVENTS.map((event) => [event, process.listeners(event as "uncaughtException")]));
  try {
    // Not import(): whatever makes a module namespace of an object with a method `then` waits for ever, some loaders do.
    const cv = createRequire(import.meta.url)("@techstark/opencv-js") as Loading;
    if (!("Mat" in cv))
      await new Promise<void>((ready) => {
        (cv as Loading).onRuntimeInitialized = ready;
      });
    return { cv };
  } catch (thrown) {
    throw unavailable(
      `GrabCut: expected the package @techstark/opencv-js to load, received ${reasonOf(thrown)}`,
      "Install it with npm install @techstark/opencv-js, or leave grabcut out of --compare.",
      thrown,
    );
  } finally {
    // The package ends the process on any rejected promise, its own or not; this program has one place for that.
    for (const event of EVENTS) {
      for (const listener of process.listeners(event as "uncaughtException")) {
        if (before.get(event)?.includes(listener) === false) process.removeListener(event, listener);
      }
    }
  }
}
