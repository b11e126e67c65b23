/** Text from files inside XML and SVG. */

/**
 * What XML 1.0 cannot hold even escaped: control characters, halves of surrogate pairs, two non-characters; and marks
 * that reverse the direction of text.
 */
// eslint-disable-next-line no-control-regex -- control characters are what is searched for
const NOT_XML = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufffe\uffff]|\p{Cs}/gu;
/** Of these, what XML can hold as a reference: nothing obeys it there, and whoever parses it has the character. */
const AS_REFERENCE = /[\t\n\r\u007f-\u009f\u2028-\u202e\u2066-\u2069]/u;
const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
};

/** One line of text that XML can hold; every other character becomes a space. */
export function toPlainText(text: string): string {
  return text.replace(NOT_XML, " ");
}

/** For text and for attributes in either kind of quotes. */
export function escapeXml(text: string): string {
  return escapeMarks(toPlainText(text));
}

/** For data, which comes out as it came in: only what XML cannot hold in any way becomes a space. */
export function escapeXmlData(text: string): string {
  return escapeMarks(text).replace(NOT_XML, (character) =>
    AS_REFERENCE.test(character) ? `&#x${character.codePointAt(0)!.toString(16).toUpperCase()};` : " ",
  );
}

function escapeMarks(text: string): string {
  return text.replace(/[&<>"']/gu, (character) => ENTITIES[character]!);
}
