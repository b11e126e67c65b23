/** What the data side hands to a trainer: one batch of crops with their cells. Plain numbers, no tensors. */

/**
 * One training batch. T is the longest ring of the batch: T decoder outputs, the last of the longest ring being end-of-sequence.
 */
export interface TrainingBatch {
  /** Crops, B. */
  readonly size: number;
  /** Decoder outputs per crop, T. */
  readonly steps: number;
  /** [B, 224, 224, 3] uint8 RGB. */
  readonly crops: Uint8Array;
  /** [B, T + 1] first vertex, later vertices, then end-of-sequence (784) to the end; every row holds at least one 784. */
  readonly cells: Int32Array;
  /** [B, 28, 28] 0 or 1: cells the closed ring's boundary passes through. */
  readonly edge: Uint8Array;
  /** [B, 28, 28] 0..1: share of each cell inside the ring. */
  readonly mask: Float32Array;
}
