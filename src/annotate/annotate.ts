/** The main path. */
import type { AnnotateHost, AnnotateOptions, AnnotateSummary } from "./options.js";

export declare function annotate(options: AnnotateOptions, host: AnnotateHost): Promise<AnnotateSummary>;
