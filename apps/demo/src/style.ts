import { styleText } from "node:util";

type Format = Parameters<typeof styleText>[0];

/** Whether people look at this output, and not a file or another program. */
export const isTerminal: boolean = process.stdout.isTTY && process.env["TERM"] !== "dumb";
const coloured = isTerminal && !process.env["NO_COLOR"];

/** Colours where they are seen. */
export function styled(format: Format, text: string): string {
  return coloured ? styleText(format, text, { validateStream: false }) : text;
}

/** The same text on one line: what could move a terminal's cursor, as in the name of a file, is shown by its number. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) => {
    const number = character.codePointAt(0) ?? 0;
    return String.raw`\u` + number.toString(16).padStart(4, "0");
  });
}

export function grouped(value: number): string {
  return value.toLocaleString("en");
}

const SIZES = ["bytes", "kB", "MB", "GB", "TB"];

export function sizeOf(bytes: number): string {
  let [value, unit] = [bytes, 0];
  while (value >= 1_000 && unit < SIZES.length - 1) [value, unit] = [value / 1_000, unit + 1];
  return `${unit === 0 ? value : value.toFixed(1)} ${SIZES[unit] ?? ""}`;
}
