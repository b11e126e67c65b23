/**
 * Imported before onnxruntime-node: since 1.30 its Linux library reports usage to its maker over the network and leaves
 * an empty mat-debug-*.log in the temporary folder of every process. People pre-label private photographs with this
 * program; it tells nobody. Who wants the reports sets ORT_DISABLE_TELEMETRY=0.
 */
import { setFlagsFromString } from "node:v8";

process.env["ORT_DISABLE_TELEMETRY"] ??= "1";

/*
 * Imported before tensors are made: lets V8 collect less often.
 *
 * A tensor's values lie outside V8's heap but count towards its limit, which is set after each full collection as a
 * multiple of what is alive. This program keeps about 14 MB alive and lets go of some 4 MB at every step of a batch, so
 * that by V8's own reckoning a full collection came due every 3 instances, with its helper threads on the cores that
 * compute. Four times what is alive instead: a fifth as many full collections, 1.15 to 1.2 times the instances per
 * second on two busy cores, for 20 MB more at the peak (200 instances of ../shared/data/val.json, `mobile`). The flag
 * is read at every collection, so that it can be set while the program runs.
 */

setFlagsFromString("--heap-growing-percent=300");
