/**
 * Labels of Cityscapes and CityPersons, and what each means here.
 * Source: github.com/mcordts/cityscapesScripts, helpers/labels.py and helpers/labels_cityPersons.py.
 */
import type { Category, Id } from "../../types.js";

/** Labels whose objects are annotated one by one and evaluated. */
const THINGS: readonly (readonly [name: string, id: number, supercategory: string])[] = [
  ["person", 24, "human"],
  ["rider", 25, "human"],
  ["car", 26, "vehicle"],
  ["truck", 27, "vehicle"],
  ["bus", 28, "vehicle"],
  ["train", 31, "vehicle"],
  ["motorcycle", 32, "vehicle"],
  ["bicycle", 33, "vehicle"],
];

/** Labels that cover what lies behind them and are no instances; no evaluation includes caravan and trailer. */
const STUFF: ReadonlySet<string> = new Set([
  "unlabeled",
  "ego vehicle",
  "rectification border",
  "out of roi",
  "static",
  "dynamic",
  "ground",
  "road",
  "sidewalk",
  "parking",
  "rail track",
  "building",
  "wall",
  "fence",
  "guard rail",
  "bridge",
  "tunnel",
  "pole",
  "polegroup",
  "traffic light",
  "traffic sign",
  "vegetation",
  "terrain",
  "sky",
  "caravan",
  "trailer",
  "caravangroup",
  "trailergroup",
]);

/** Part of the car it is on; it has no id and is not painted. */
const UNPAINTED = "license plate";

const THING_IDS: ReadonlyMap<string, number> = new Map(THINGS.map(([name, id]) => [name, id]));

export type LabelMeaning =
  | { readonly kind: "thing"; readonly id: number }
  /** Several things whose borders could not be told apart ("cargroup"). */
  | { readonly kind: "group" }
  | { readonly kind: "stuff" | "unpainted" | "unknown" };

export function meaningOf(label: string): LabelMeaning {
  const id = THING_IDS.get(label);
  if (id !== undefined) return { kind: "thing", id };
  if (STUFF.has(label)) return { kind: "stuff" };
  if (label === UNPAINTED) return { kind: "unpainted" };
  return { kind: label.endsWith("group") && THING_IDS.has(label.slice(0, -"group".length)) ? "group" : "unknown" };
}

export const CITYSCAPES_CATEGORIES: readonly Category[] = THINGS.map(([name, id, supercategory]) => ({
  id,
  name,
  raw: { id, name, supercategory },
}));

/** Labels of CityPersons that become instances. */
const PERSONS: readonly (readonly [name: string, id: number])[] = [
  ["pedestrian", 1],
  ["rider", 2],
  ["sitting person", 3],
  ["person (other)", 4],
];

export const CITYPERSONS_CATEGORIES: readonly Category[] = PERSONS.map(([name, id]) => ({
  id,
  name,
  raw: { id, name, supercategory: "human" },
}));

/** Labels of CityPersons for regions rather than one person: crowds, and pictures of people. */
export const CITYPERSONS_REGIONS: ReadonlySet<string> = new Set(["person group", "ignore"]);

/** Category id of a CityPersons label; undefined for one that makes no instance. */
export function personCategory(label: string): Id | undefined {
  return PERSONS.find(([name]) => name === label)?.[1];
}
