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
  return { kind: label.endsWith(GROUP) && THING_IDS.has(singleOf(label)) ? "group" : "unknown" };
}

export const CITYSCAPES_CATEGORIES: readonly Category[] = THINGS.map(([name, id, supercategory]) => ({
  id,
  name,
  raw: { id, name, supercategory },
}));

/** Id of the first category that a data set adds: Cityscapes' own end at 33. */
const FIRST_OWN_ID = 34;
/** Labels that a data set may add; a file with more has something else in them. */
const MOST_OWN_LABELS = 1000;
const LONGEST_OWN_LABEL = 200;
const GROUP = "group";

/** Ids of the labels that files in Cityscapes' format have beside Cityscapes' own, in the order they are met. */
export class OwnLabels {
  readonly #ids = new Map<string, number>();

  /** @param label of an object; anything but a new label of its own changes nothing */
  note(label: unknown): void {
    if (typeof label !== "string" || label.trim() === "" || label.length > LONGEST_OWN_LABEL) return;
    if (this.#ids.has(label) || this.#ids.size === MOST_OWN_LABELS || meaningOf(label).kind !== "unknown") return;
    // "skygroup": its single label is Cityscapes' and no thing.
    if (label.endsWith(GROUP) && meaningOf(singleOf(label)).kind !== "unknown") return;
    this.#ids.set(label, FIRST_OWN_ID + this.#ids.size);
  }

  /** Things, and groups of things whose single label is there as well ("dog", "doggroup"). */
  meaningOf(label: string): LabelMeaning {
    const known = meaningOf(label);
    if (known.kind !== "unknown") return known;
    if (label.endsWith(GROUP) && this.#ids.has(singleOf(label))) return { kind: "group" };
    const id = this.#ids.get(label);
    return id === undefined ? known : { kind: "thing", id };
  }

  categories(): readonly Category[] {
    return [...this.#ids]
      .filter(([name]) => this.meaningOf(name).kind === "thing")
      .map(([name, id]) => ({ id, name, raw: { id, name } }));
  }
}

function singleOf(label: string): string {
  return label.slice(0, -GROUP.length);
}

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
