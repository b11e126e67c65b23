/**
 * Imported before onnxruntime-node: what has to be set in the process before it loads.
 *
 * Since 1.30 its Linux library reports usage to its maker over the network, and leaves an empty mat-debug-*.log in the
 * temporary folder of every process. People label private photographs with this program, so the reports are off;
 * ORT_DISABLE_TELEMETRY=0 turns them on.
 *
 * V8 counts the values of tensors, which lie outside its heap, towards the limit at which it collects. After a full
 * collection that limit is a multiple of what is alive. The program keeps little alive and drops a few megabytes at
 * every step of a batch. By V8's own multiple a full collection came due every few instances and took cores from the
 * network. With a limit of four times what is alive there are a fifth as many collections (bench/README.md). The flag
 * is read at every collection, so that it can be set while the program runs.
 */
import { setFlagsFromString } from "node:v8";

process.env["ORT_DISABLE_TELEMETRY"] ??= "1";
setFlagsFromString("--heap-growing-percent=300");
