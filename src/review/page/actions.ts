/** What a person can do: one table for the keys, the buttons and the help. */
export type ActionName =
  | "accept"
  | "reject"
  | "skip"
  | "next"
  | "previous"
  | "undo"
  | "redo"
  | "redraw"
  | "redrawBefore"
  | "network"
  | "add"
  | "delete"
  | "box"
  | "manual"
  | "category"
  | "reason"
  | "hide"
  | "pan"
  | "zoomIn"
  | "zoomOut"
  | "fit"
  | "darker"
  | "brighter"
  | "flatter"
  | "crisper"
  | "take"
  | "leave"
  | "export"
  | "figures"
  | "help";

export interface Action {
  readonly name: ActionName;
  /** As `event.key` has it, letters in lower case, with "Ctrl+" before it where it is held. */
  readonly keys: readonly string[];
  /** On the button. */
  readonly label: string;
  readonly key: string;
  readonly about: string;
  readonly place: "decisions" | "tools" | "elsewhere";
}

const row = (
  [name, place]: readonly [ActionName, Action["place"]],
  keys: readonly string[],
  [label, key]: readonly [string, string],
  about: string,
): Action => ({ name, keys, label, key, about, place });

export const ACTIONS: readonly Action[] = [
  row(["accept", "decisions"], ["Enter"], ["Accept", "Enter"], "accept what is shown, go on"),
  row(["reject", "decisions"], ["x"], ["Reject", "X"], "leave the instance out of the files; the reason is optional"),
  row(["skip", "decisions"], ["s"], ["Skip", "S"], "leave it open"),
  row(
    ["previous", "decisions"],
    ["a", "ArrowLeft"],
    ["Previous", "A"],
    "the instance before this one, nothing decided; changes are kept",
  ),
  row(
    ["next", "decisions"],
    ["d", "ArrowRight"],
    ["Next", "D"],
    "the next instance, nothing decided; changes are kept",
  ),
  row(["undo", "tools"], ["Ctrl+z"], ["Undo", "Ctrl+Z"], "take back an edit; when none is left, the last decision"),
  row(["redo", "tools"], ["Ctrl+Z", "Ctrl+y"], ["Redo", "Ctrl+Y"], "do again what was taken back; or Ctrl+Shift+Z"),
  row(
    ["redraw", "tools"],
    ["r"],
    ["Redraw", "R"],
    "the network draws what comes after the vertex; again: its next way",
  ),
  row(["redrawBefore", "tools"], ["R"], ["Before", "⇧R"], "the network draws what comes before the vertex"),
  row(["network", "tools"], ["g"], ["Network", "G"], "proposals on or off"),
  row(["add", "tools"], ["i"], ["Add", "I"], "a vertex behind this one; or click on an edge"),
  row(["delete", "tools"], ["Delete", "Backspace"], ["Delete", "Del"], "the vertex; or Alt+click"),
  row(["box", "tools"], ["b"], ["Box", "B"], "a new box: drag it, click two corners, or arrows and Space"),
  row(["manual", "tools"], ["p"], ["Draw", "P"], "draw by hand: click, click, Enter; the network offers the rest"),
  row(["hide", "tools"], ["t"], ["Hide", "T"], "hide the polygon while held"),
  row(["fit", "tools"], ["0"], ["Fit", "0"], "the whole picture"),
  row(["zoomIn", "tools"], ["+", "="], ["Larger", "+"], "zoom in; or the wheel"),
  row(["zoomOut", "tools"], ["-"], ["Smaller", "-"], "zoom out; two fingers zoom and pan"),
  row(["pan", "tools"], ["h"], ["Pan", "H"], "dragging moves the view; or Space held, the middle button, Shift+arrows"),
  row(["export", "tools"], [], ["Export", ""], "write the files with the decisions"),
  row(["figures", "tools"], ["f"], ["Figures", "F"], "seconds, clicks, what changed"),
  row(["help", "tools"], ["?"], ["Keys", "?"], "this list"),
  row(["take", "elsewhere"], [" "], ["Take", "Space"], "take the network's way (dashed), or click on it"),
  row(["leave", "elsewhere"], ["Escape"], ["Leave", "Esc"], "leave it; end what was begun"),
  row(["category", "elsewhere"], ["c"], ["Category", "C, 1-9"], "choose a category"),
  row(["reason", "elsewhere"], ["X"], ["Reason", "⇧X"], "choose why the instance will be rejected: 1 to 5"),
  row(["darker", "elsewhere"], ["["], ["Darker", "["], "the picture"),
  row(["brighter", "elsewhere"], ["]"], ["Brighter", "]"], "the picture"),
  row(["flatter", "elsewhere"], ["{"], ["Flatter", "{"], "the picture: less contrast"),
  row(["crisper", "elsewhere"], ["}"], ["Crisper", "}"], "the picture: more contrast"),
];

const BY_KEY = new Map(ACTIONS.flatMap(({ name, keys }) => keys.map((key) => [key, name] as const)));

/** @returns the action of a pressed key, or the digit of a category; `event.key`, so that every layout works */
export function actionOf(event: KeyboardEvent): ActionName | number | undefined {
  if (event.altKey) return undefined;
  const isHeld = event.ctrlKey || event.metaKey;
  const { key } = event;
  if (isHeld) return BY_KEY.get(`Ctrl+${event.shiftKey ? key.toUpperCase() : key.toLowerCase()}`);
  if (/^[1-9]$/.test(key)) return Number(key);
  const isLetter = /^[a-z]$/i.test(key);
  return BY_KEY.get(isLetter ? (event.shiftKey ? key.toUpperCase() : key.toLowerCase()) : key);
}

/** WCAG 2.1.4: keys that are a single character can be switched off. */
export const isCharacter = ({ key, ctrlKey, metaKey }: KeyboardEvent): boolean =>
  key.length === 1 && key !== " " && !ctrlKey && !metaKey;
