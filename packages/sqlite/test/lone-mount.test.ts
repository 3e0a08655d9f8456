/** A file that is mounted without its folder. */
import { spawnSync, type SpawnSyncReturns } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { isLoneMount } from "../src/lone-mount.ts";
import { temporaryFolder } from "./support.ts";

const MOUNTS = `22 27 0:21 / /proc rw,relatime - proc proc rw
63 43 254:0 /tmp/f /srv/the\\040app/jobs.db rw,relatime - ext4 /dev/vda rw
64 43 254:0 /tmp/g /srv/data rw,relatime shared:4 - ext4 /dev/vda rw
`;

test("it is told from one that is mounted with its folder", () => {
  expect(isLoneMount("/srv/the app/jobs.db", MOUNTS)).toBe(true);
  expect(isLoneMount("/srv/data/jobs.db", MOUNTS)).toBe(false);
  expect(isLoneMount("/srv/the", MOUNTS)).toBe(false);
  expect(isLoneMount(join(temporaryFolder(), "jobs.db"))).toBe(false);
});

function shell(command: string): SpawnSyncReturns<string> {
  return spawnSync("sh", ["-c", command], { encoding: "utf8" });
}

const MAY_MOUNT = shell("unshare -m mount --bind /tmp /tmp").status === 0;

test.skipIf(!MAY_MOUNT)("it is warned of as it is opened", () => {
  const folder = temporaryFolder();
  const place = join(folder, "app");
  mkdirSync(place);
  writeFileSync(join(folder, "jobs.db"), "", { mode: 0o600 });
  writeFileSync(join(place, "jobs.db"), "", { mode: 0o600 });
  const script = fileURLToPath(new URL("./open-once.js", import.meta.url));
  const open = (before: string): string => {
    const command = `${before} TASKQ_FILE="${join(place, "jobs.db")}" "${process.execPath}" "${script}"`;
    const { stderr, status } = shell(`unshare -m sh -c '${command}'`);
    expect(status).toBe(0);
    return stderr;
  };
  expect(open("")).toBe("");
  const told = open(`mount --bind "${join(folder, "jobs.db")}" "${join(place, "jobs.db")}" &&`);
  expect(told).toMatch(/\[TASKQ_FILE_MOUNT\] .*app\/jobs\.db is mounted by itself.*Mount its folder/);
});
