/**
 * Every architecture and every size: defaults for what a model card chooses, and what is the same in all networks of a
 * name. Only the layer tables of the published backbones stand elsewhere, beside their sources (network/mobile.ts,
 * network/vgg16.ts).
 *
 * A new architecture is a function in a file of its own and an entry in each table here. The schema of the model card
 * (model/card.ts) needs one too.
 */
import { mobile } from "./mobile.js";
import type { ArchitectureOf, ArchitectureOptions, PolygonRnn } from "./polygon-rnn.js";
import { tiny } from "./tiny.js";
import { vgg16 } from "./vgg16.js";

/** What a model card chooses, as it is for a network that has no card yet. */
export const DEFAULT_ARCHITECTURES: { readonly [N in ArchitectureOptions["name"]]: ArchitectureOf<N> } = {
  mobile: { name: "mobile", widths: [24, 16], features: 128, skip: 64, rank: 128, peepholes: false, refine: true },
  // Castrejon et al., CVPR 2017: 16 channels in both ConvLSTM layers.
  vgg16: { name: "vgg16", widths: [16, 16], peepholes: false },
  tiny: { name: "tiny", widths: [12, 12], features: 16, rank: 32, peepholes: false },
};

/** Channels that no card chooses. */
const FIXED_CHANNELS = {
  mobile: { mapsHidden: 32, refineWidths: [32, 16, 8] },
  // Castrejon et al., CVPR 2017: every skip and the fused features.
  vgg16: { features: 128 },
  // The encoder's convolutions, at 1/2, 1/4, 1/8 and 1/16 of the input.
  tiny: { mapsHidden: 4, encoder: [4, 6, 8, 8], refineWidths: [4, 4, 4] },
} as const;

export function describeNetwork(options: ArchitectureOptions): PolygonRnn {
  switch (options.name) {
    case "mobile":
      return mobile({ ...options, ...FIXED_CHANNELS.mobile });
    case "vgg16":
      return vgg16({ ...options, ...FIXED_CHANNELS.vgg16 });
    case "tiny":
      return tiny({ ...options, ...FIXED_CHANNELS.tiny });
  }
}
