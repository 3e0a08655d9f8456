const CONTROL = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;

/** The same text on one line: what could move a terminal's cursor, or hide what is there, is shown by its number. */
export function printable(text: string): string {
  return text.replaceAll(
    CONTROL,
    (character) => String.raw`\u` + (character.codePointAt(0) ?? 0).toString(16).padStart(4, "0"),
  );
}
