const joinedTasks = new WeakMap<readonly string[], string>();

/** The names of tasks in one text, each between line ends, as the scripts look for them. Callers keep their array from call to call. */
export function joined(tasks: readonly string[]): string {
  let text = joinedTasks.get(tasks);
  if (text === undefined) joinedTasks.set(tasks, (text = `\n${tasks.join("\n")}\n`));
  return text;
}
