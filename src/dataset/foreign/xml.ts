/**
 * XML as box files have it: elements, attributes and text, read as a stream within limits. Entities are not declared
 * here: what a document type declares is refused, so that nothing is fetched and nothing grows.
 */
import { SaxesParser } from "saxes";
import { invalidData, receivedOf } from "../../errors.js";

export interface XmlElement {
  readonly name: string;
  /** Of the opening tag, from 1. */
  readonly line: number;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly XmlElement[];
  /** Text directly inside, without white space at its ends. */
  readonly text: string;
}

interface Growing extends XmlElement {
  readonly children: XmlElement[];
  text: string;
}

const MOST_LEVELS = 64;
/** Elements inside one that is handed out as a whole: the boxes of one image. */
const MOST_ELEMENTS = 2_000_000;
/** Characters of text, or of one tag with its attributes. */
const LONGEST_TEXT = 16 * 1024 * 1024;

export interface XmlHandler {
  /** Name of the elements that are handed out whole, wherever they stand. */
  readonly unit: string;
  /** Called at the end of each such element. */
  readonly element: (element: XmlElement) => void;
  /** Called at the start of the outermost element. */
  readonly root?: (name: string) => void;
}

/** Takes the text in pieces. */
export class XmlReader {
  private readonly parser = new SaxesParser({ position: true });
  private readonly open: Growing[] = [];
  private level = 0;
  private elements = 0;
  /** Characters since the parser last told of a tag or text: what it holds until the next one ends. */
  private held = 0;

  /** @param path opens messages */
  constructor(
    private readonly path: string,
    private readonly handler: XmlHandler,
  ) {
    this.parser.on("error", (error) => {
      throw this.wrong("XML", error.message.replace(/^\d+:\d+: |\.$/gu, ""));
    });
    this.parser.on("doctype", (text) => {
      if (text.includes("[")) throw this.wrong("XML without declarations", "a document type with declarations");
    });
    this.parser.on("opentag", ({ name, attributes }) => {
      this.openTag(name, attributes);
    });
    this.parser.on("closetag", () => {
      this.closeTag();
    });
    const add = (text: string): void => {
      this.held = 0;
      const last = this.open.at(-1);
      if (last === undefined) return;
      if (last.text.length + text.length > LONGEST_TEXT)
        throw this.wrong(`at most ${LONGEST_TEXT} characters of text`, "more");
      last.text += text;
    };
    this.parser.on("text", add);
    this.parser.on("cdata", add);
  }

  /** @throws E_DATA with file and line */
  write(text: string): void {
    this.held += text.length;
    this.parser.write(text);
    if (this.held > LONGEST_TEXT) throw this.wrong(`at most ${LONGEST_TEXT} characters in a tag`, "more");
  }

  /** @throws E_DATA when the document is not complete */
  end(): void {
    this.parser.close();
  }

  private openTag(name: string, attributes: Record<string, unknown>): void {
    this.held = 0;
    if (this.level === 0) this.handler.root?.(name);
    if (++this.level > MOST_LEVELS) throw this.wrong(`elements at most ${MOST_LEVELS} levels deep`, "deeper ones");
    if (this.open.length === 0 && name !== this.handler.unit) return;
    if (this.open.length === 0) this.elements = 0;
    if (++this.elements > MOST_ELEMENTS)
      throw this.wrong(`at most ${MOST_ELEMENTS} elements in <${this.handler.unit}>`, "more");
    const element: Growing = {
      name,
      line: this.parser.line,
      attributes: new Map(Object.entries(attributes).map(([key, value]) => [key, String(value)])),
      children: [],
      text: "",
    };
    this.open.at(-1)?.children.push(element);
    this.open.push(element);
  }

  private closeTag(): void {
    this.held = 0;
    this.level--;
    const element = this.open.pop();
    if (element === undefined) return;
    element.text = element.text.trim();
    if (this.open.length === 0) this.handler.element(element);
  }

  private wrong(expected: string, received: string): Error {
    return invalidData(
      `${this.path}, line ${this.parser.line}: expected ${expected}, received ${received}`,
      "Export the file again.",
    );
  }
}

/** A small document as a tree. @throws E_DATA when its outermost element has another name */
export function parseXml(text: string, path: string, root: string): XmlElement {
  let found: XmlElement | undefined;
  const reader = new XmlReader(path, {
    unit: root,
    element: (element) => {
      found ??= element;
    },
    root(name) {
      if (name !== root)
        throw invalidData(
          `${path}: expected <${root}> as the outermost element, received <${receivedOf(name).replaceAll('"', "")}>`,
          "Leave the file out, or pass the folder of one kind.",
        );
    },
  });
  reader.write(text);
  reader.end();
  if (found === undefined)
    throw invalidData(`${path}: expected <${root}>, received no element`, "Export the file again.");
  return found;
}

export function childOf(element: XmlElement | undefined, name: string): XmlElement | undefined {
  return element?.children.find((child) => child.name === name);
}

export function childText(element: XmlElement | undefined, name: string): string | undefined {
  return childOf(element, name)?.text;
}
