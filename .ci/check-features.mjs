// The table of features against the last test run: each test that apps/docs/reference/features.md names must exist,
// have run and have passed, by the reports that `npm test` leaves in each package. `--quiet` prints problems only.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { workspacePackages } from "./workspace.mjs";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const page = "apps/docs/reference/features.md";
const problems = [];

/** The rows of huey's inventory that the page must have, each once; missing numbers are not carried over. */
const wanted = new Set([
  ...span(18, 31),
  ...span(33, 41),
  43,
  ...span(45, 63),
  ...span(65, 108),
  ...span(113, 146),
  ...span(148, 158),
  160,
  ...span(162, 180),
  182,
  183,
  ...span(185, 192),
  ...span(195, 207),
  ...span(208, 216),
]);

function span(first, last) {
  return Array.from({ length: last - first + 1 }, (_, n) => first + n);
}

/** The cells of each row of a Markdown table; `\|` is no border. */
function rowsOf(markdown) {
  return markdown
    .split("\n")
    .filter((line) => line.startsWith("|") && !/^\|[\s|:-]+\|$/.test(line))
    .map((line) =>
      line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim().replaceAll("\\|", "|")),
    );
}

const reference = /`([\w-]+)`: /;

/** The tests that a proof names: `short`: title; `short`: title. A title may hold a semicolon. */
function referencesOf(proof) {
  return proof.split(/; (?=`[\w-]+`: )/).map((text) => {
    const [matched, short] = reference.exec(text) ?? [];
    return matched === undefined || !text.startsWith(matched)
      ? { text }
      : { text, short, title: text.slice(matched.length) };
  });
}

/** What became of each test, by file and title; a title that runs with several storages has several. */
function readReports() {
  const outcomes = new Map();
  for (const { folder } of workspacePackages(root)) {
    const report = join(root, folder, ".cache", "test-report.json");
    if (!existsSync(report)) continue;
    for (const file of JSON.parse(readFileSync(report, "utf8")).testResults) {
      for (const { title, status } of file.assertionResults) {
        const key = `${resolve(file.name)}\n${title.trim()}`;
        outcomes.set(key, [...(outcomes.get(key) ?? []), status]);
      }
    }
  }
  return outcomes;
}

const rows = rowsOf(readFileSync(join(root, page), "utf8"));
const files = new Map(
  rows.filter((row) => row.length === 2).map((row) => row.map((cell) => cell.replaceAll("`", ""))),
);
const features = rows.filter(([number, , , proof]) => proof !== undefined && number !== "#");
const outcomes = readReports();
const used = new Set();
const notYet = [];
let tests = 0;

function checkReference(number, { text, short, title }) {
  const complain = (why) => problems.push(`${page}: row ${number}: ${why}`);
  if (title === undefined) return complain(`expected \`short\`: title, got "${text}"`);
  const file = files.get(short);
  if (file === undefined) return complain(`"${short}" is no file of the table at the end`);
  used.add(short);
  tests += 1;
  if (!existsSync(join(root, file))) return complain(`there is no ${file}`);
  const statuses = outcomes.get(`${join(root, file)}\n${title}`);
  if (statuses === undefined) return complain(`"${title}" did not run in ${file} (npm test runs everything)`);
  const others = statuses.filter((status) => status !== "passed");
  if (others.length > 0) complain(`"${title}" of ${file}: ${others.join(", ")}`);
}

for (const [number, huey, , proof] of features) {
  if (/^\d+$/.test(number) && !wanted.delete(Number(number))) {
    problems.push(`${page}: row ${number}: not wanted, or there twice`);
  }
  const [, reason] = /^\*\*not yet\*\*: (.+)$/.exec(proof) ?? [];
  if (reason !== undefined) notYet.push(`${number} (${huey}): ${reason}`);
  else for (const each of referencesOf(proof)) checkReference(number, each);
}
for (const number of wanted) problems.push(`${page}: row ${number} is missing`);
for (const short of files.keys()) {
  if (short !== "short" && !used.has(short)) problems.push(`${page}: no row names the file "${short}"`);
}

// Without a test run there would be hundreds.
const told = 20;
for (const problem of problems.slice(0, told)) console.error(problem);
if (problems.length > told) console.error(`and ${problems.length - told} more`);
if (!process.argv.includes("--quiet")) {
  for (const each of notYet) console.log(`not yet: ${each}`);
  console.log(
    `features: ${features.length} rows, ${tests} tests named, ${notYet.length} rows not yet, ${problems.length} problem(s)`,
  );
}
process.exitCode = problems.length === 0 ? 0 : 1;
