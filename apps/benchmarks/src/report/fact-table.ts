/** What was found, one fact a line: its name, its value, and what is asked of it if it is missed. */
export interface Fact {
  readonly name: string;
  readonly value: string | number;
  /** `undefined`: nothing is asked. */
  readonly met?: boolean | undefined;
}

/** Facts as lines whose columns line up. */
export function factTable(facts: readonly Fact[]): string {
  const names = Math.max(...facts.map(({ name }) => name.length));
  const values = Math.max(...facts.map(({ value }) => String(value).length));
  return facts
    .map(({ name, value, met }) => {
      const verdict = met === undefined ? "" : met ? "ok" : "VIOLATED";
      return `${name.padEnd(names)}  ${String(value).padStart(values)}  ${verdict}`.trimEnd();
    })
    .join("\n");
}

/** Whether everything that is asked is met. */
export function allMet(facts: readonly Fact[]): boolean {
  return facts.every(({ met }) => met !== false);
}
