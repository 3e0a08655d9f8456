const CONTROL = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;
const CONTROL_WITHIN_LINES = /(?![\n\t])[\p{Cc}\p{Cf}\u2028\u2029]/gu;

/** The same text on one line: what could move a terminal's cursor, or hide what is there, is shown by its number. */
export function printable(text: string): string {
  return text.replaceAll(CONTROL, byNumber);
}

/** The same of a text of several lines, such as a stack. */
export function printableLines(text: string): string {
  return text.replaceAll(CONTROL_WITHIN_LINES, byNumber);
}

function byNumber(character: string): string {
  return String.raw`\u` + (character.codePointAt(0) ?? 0).toString(16).padStart(4, "0");
}
