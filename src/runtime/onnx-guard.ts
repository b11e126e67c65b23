/**
 * Imported before onnxruntime-node: since 1.30 its Linux library reports usage to its maker over the network and leaves an empty
 * mat-debug-*.log in the temporary folder of every process. People pre-label private photographs with this program; it tells nobody.
 * Who wants the reports sets ORT_DISABLE_TELEMETRY=0.
 */
process.env["ORT_DISABLE_TELEMETRY"] ??= "1";
