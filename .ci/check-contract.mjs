// The storage contract is prose: each `* Promise: …` line in core's storage.ts is, word for word, the title of a test
// in the conformance kit, `promise("…", …)`. The two lists must hold the same sentences.
import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { typescriptFiles, withoutComments } from "./workspace.mjs";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const contractFile = "packages/core/src/storage.ts";
const kitFolder = "packages/conformance/src";
const problems = [];

/** Sentence → the places it stands at; a sentence that stands twice is reported. */
class Sentences extends Map {
  note(sentence, place) {
    if (this.has(sentence)) problems.push(`${place}: stands already at ${this.get(sentence)}: "${sentence}"`);
    else this.set(sentence, place);
  }
}

function promisesOfContract() {
  const found = new Sentences();
  const lines = readFileSync(join(root, contractFile), "utf8").split("\n");
  let inside = false;
  for (const [index, line] of lines.entries()) {
    const place = `${contractFile}:${index + 1}`;
    const sentence = inside ? /^\s*\*\s+Promise: (.+)$/.exec(line)?.[1].trim() : undefined;
    if (sentence !== undefined) {
      found.note(sentence, place);
      const next = lines[index + 1] ?? "";
      if (!/^\s*\*\s*(\/|$|@|Promise: )/.test(next)) {
        problems.push(
          `${place}: a promise is one line; after it comes an empty line, a tag or another promise`,
        );
      }
    } else if (/(\/\/|\*).*\bPromise: /.test(line)) {
      problems.push(`${place}: write a promise as a line of its own in a doc comment: " * Promise: …"`);
    }
    if (/\/\*\*/.test(line)) inside = true;
    if (/\*\//.test(line)) inside = false;
  }
  return found;
}

/** The text of a string literal, or undefined if its value is not written there. */
function literal(source) {
  const match = /^\s*(?:"((?:\\.|[^"\\\n])*)"|'((?:\\.|[^'\\\n])*)'|`((?:\\.|[^`\\$])*)`)\s*[,)]/.exec(
    source,
  );
  if (match === null) return undefined;
  return (match[1] ?? match[2] ?? match[3]).replace(/\\(.)/g, "$1");
}

function titlesOfKit() {
  const found = new Sentences();
  for (const file of typescriptFiles(root, kitFolder)) {
    const text = withoutComments(readFileSync(join(root, file), "utf8"));
    for (const match of text.matchAll(/(?<!function\s+)\bpromise\(/g)) {
      const rest = text.slice(match.index + match[0].length);
      // a declaration such as `promise(title: string, …)` names its parameter, it gives no title
      if (/^\s*\w+\??\s*:/.test(rest)) continue;
      const place = `${file}:${text.slice(0, match.index).split("\n").length}`;
      const title = literal(rest);
      if (title === undefined) problems.push(`${place}: the title of a promise is a plain string literal`);
      else found.note(title, place);
    }
  }
  return found;
}

const promises = promisesOfContract();
const titles = titlesOfKit();
for (const [sentence, place] of promises) {
  if (!titles.has(sentence)) problems.push(`${place}: no test of the kit is called "${sentence}"`);
}
for (const [title, place] of titles) {
  if (!promises.has(title)) problems.push(`${place}: ${contractFile} does not promise "${title}"`);
}
if (promises.size === 0) problems.push(`${contractFile}: promises nothing`);
for (const problem of problems) console.error(problem);
console.log(
  `contract: ${promises.size} promises, ${titles.size} titles in the kit, ${problems.length} problem(s)`,
);
process.exitCode = problems.length === 0 ? 0 : 1;
