import { spawnSync } from "node:child_process";
import { cpus } from "node:os";

/** On which CPU a process runs; `undefined`: on any. */
export type Cpu = 0 | 1 | undefined;

/** Where a server and its clients run: on CPUs of their own where that can be said, since a wake-up between CPUs takes as long as a call. */
export interface Placement {
  readonly server: Cpu;
  readonly clients: Cpu;
}

/** Of util-linux. */
const TASKSET = "taskset";
const ANYWHERE: Placement = { server: undefined, clients: undefined };
const SPLIT: Placement = { server: 0, clients: 1 };

/** The split placement, where there are two CPUs and `taskset`. */
export const placement: Placement = canSplit() ? SPLIT : ANYWHERE;

function canSplit(): boolean {
  return cpus().length >= 2 && spawnSync(TASKSET, ["-c", "0,1", "true"]).status === 0;
}

/** Moves a process that runs, with all of its threads, to a CPU. */
export function move(pid: number, cpu: Cpu): void {
  if (cpu !== undefined) spawnSync(TASKSET, ["-a", "-c", "-p", String(cpu), String(pid)]);
}

/** A command as it is started on a CPU. */
export function on(cpu: Cpu, command: readonly string[]): readonly string[] {
  return cpu === undefined ? command : [TASKSET, "-c", String(cpu), ...command];
}
