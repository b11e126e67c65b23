/** The architectures there are: a new one is one function here and one entry in the model card's schema. */
import { mobile } from "./mobile.js";
import type { ArchitectureOptions, PolygonRnn } from "./polygon-rnn.js";
import { tiny } from "./tiny.js";
import { vgg16 } from "./vgg16.js";

export function describeNetwork(options: ArchitectureOptions): PolygonRnn {
  switch (options.name) {
    case "mobile":
      return mobile(options);
    case "vgg16":
      return vgg16(options);
    case "tiny":
      return tiny(options);
  }
}
