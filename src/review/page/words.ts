/** What the page tells a person about the instance in work. */
import type { InstanceView } from "../api.js";
import type { Edit } from "./edit.js";
import type { Ghost } from "./network.js";

/** What the modes say when they begin. */
export const BEGUN = {
  box: "Drag the new box, or click two corners. Keys: arrows move the cross, Space sets a corner.",
  draw: "Click around the object; Enter ends. Keys: arrows move the cross, Space sets a vertex.",
  pan: "Dragging moves the view; H or Esc ends.",
} as const;

/** When an instance is opened. */
export function hintOn({ arm, rings, problem }: InstanceView): string {
  if (problem !== undefined) return "There is no picture: S skips the instance, X rejects it, D goes on.";
  if (arm === "manual" && rings.length === 0) return "Drawn by hand, to measure: click around the object, Enter ends.";
  if (rings.length === 0) return "There is no polygon: P draws it by hand, R asks the network, X rejects the instance.";
  return "Drag a vertex, or click it and then its place. Click on an edge to add one, Alt+click to delete.";
}

/** "3 of 42 · score 0.31 · in work, draft saved · 14 vertices · image 7" */
export function factsOf({ view, shape, status, isDirty }: Edit, total: number): string {
  const score = view.score === null ? "no score" : `score ${view.score.toFixed(2)}`;
  const state = status === "draft" ? "in work" : status;
  const kept = isDirty ? ", changed" : status === "draft" ? ", draft saved" : "";
  return `${view.position + 1} of ${total} · ${score} · ${state}${kept} · ${shape.ring.length} vertices · image ${view.imageId}`;
}

/** "Network: 0.62 → 0.81"; a network without a mask map proposes without scores. */
export function wordsOn({ score, scoreBefore }: Ghost): string {
  if (score === null) return "The network's way";
  return `Network: ${scoreBefore === null ? "" : `${scoreBefore.toFixed(2)} → `}${score.toFixed(2)}`;
}
