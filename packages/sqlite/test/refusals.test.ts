import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { sqliteStorage } from "@taskq/sqlite";
import { isMetByAll } from "@taskq/core/storage";
import { describe, expect, test, vi } from "vitest";
import { checkFileSystem } from "../src/file-guard.ts";
import { refuseCrash } from "../src/load-driver.ts";
import type { DriverFactory } from "../src/driver.ts";
import { openFile, refuseOldSqlite } from "../src/open-file.ts";
import { settingsOf } from "../src/options.ts";
import {
  afterTest,
  failure,
  flow,
  openStorage,
  QUEUE,
  RETENTION,
  storageOf,
  temporaryFolder,
} from "./support.ts";

const ROOT = process.getuid?.() === 0;

function refusal(options: unknown): { code: string; message: string } {
  try {
    sqliteStorage(options as { path: string });
  } catch (error) {
    return error as { code: string; message: string };
  }
  throw new Error("expected the options to be refused");
}

async function refused(path: string): Promise<{ code: string; message: string; cause: unknown }> {
  const error = await failure(storageOf({ path }).open({ queue: QUEUE, retention: RETENTION }));
  expect(error.code).toBe("TASKQ_STORAGE");
  expect(error.message).toContain(path);
  return error;
}

async function laterEnqueue(change: (path: string) => void): Promise<{ code: string; message: string }> {
  const path = join(temporaryFolder(), "jobs.db");
  const storage = await openStorage({ path });
  await storage.enqueue({ queue: QUEUE, flows: [flow()] });
  change(path);
  await new Promise((resolve) => setTimeout(resolve, 1_050));
  const error = await failure(storage.enqueue({ queue: QUEUE, flows: [flow()] }));
  expect(await failure(storage.read({ queue: QUEUE, ids: [] }))).toBe(error);
  return error;
}

/** What the real driver meets where something befalls the way to the file as it is opened. */
function openedWhile(path: string, befalls: () => void): Promise<{ code: string; message: string }> {
  function Opening(file: string, options: Database.Options): Database.Database {
    befalls();
    return new Database(file, options);
  }
  return failure(openFile(Opening as unknown as DriverFactory, path, settingsOf({ path })));
}

test("a folder, and a link, that goes while the file is opened is told as what it is", async () => {
  const folder = join(temporaryFolder(), "jobs");
  mkdirSync(folder);
  const file = join(folder, "jobs.db");
  const link = join(folder, "link.db");
  symlinkSync(file, link);
  const linkGone = await openedWhile(link, () => rmSync(link));
  const folderGone = await openedWhile(file, () => rmSync(folder, { recursive: true }));
  expect([linkGone.code, folderGone.code]).toEqual(["TASKQ_STORAGE", "TASKQ_STORAGE"]);
  expect(linkGone.message).toContain(`the SQLite file ${link}: expected to be able to open it, got ENOENT`);
  expect(folderGone.message).toContain(
    `the SQLite file ${file}: expected to be able to open it, got Cannot open`,
  );
});

describe("options", () => {
  test.each([
    [undefined, /expected an object with 'path' or 'database', got undefined/],
    [[], /expected an object with 'path' or 'database', got an array/],
    [{}, /expected either 'path' or 'database', got neither/],
    [{ path: "a.db", database: new Database(":memory:") }, /expected either 'path' or 'database', got both/],
    [{ path: undefined }, /got a path that is undefined; the variable that it is read from may be unset$/],
    [{ path: new URL("file:///jobs.db") }, /expected the path of a file, got a URL; write .*fileURLToPath/],
    [{ path: 7 }, /path: expected the path of a file, got 7/],
    [{ path: "" }, /path: expected the path of a file, got ''/],
    [
      { path: ":memory:" },
      /expected the path of a file, got ':memory:'; .*memoryStorage\(\) of @taskq\/memory/,
    ],
    [{ path: "file:a.db" }, /path: expected the path of a file, since URIs are not taken, got 'file:a.db'$/],
    [{ path: "a.db\n" }, /path: expected the path of a file, without blanks at its end, got 'a\.db\s+'$/],
    [{ path: " " }, /path: expected the path of a file, without blanks at its end/],
    [{ path: "sqlite:a.db" }, /path: expected the path of a file, since URIs are not taken/],
    [
      { path: "a.db", durabilty: "full" },
      /unknown option 'durabilty'; known are 'path', 'database', 'durability'/,
    ],
    [{ path: "a.db", durability: "high" }, /durability: expected 'normal' or 'full', got 'high'/],
    [{ path: "a.db", durability: null }, /durability: expected 'normal' or 'full', got null/],
    [{ path: "a.db", migrate: true }, /migrate: expected 'auto' or 'check', got true/],
    [{ path: "a.db", tablePrefix: "a-b" }, /tablePrefix: expected 1 to 32 letters, .* got 'a-b'/],
    [{ path: "a.db", tablePrefix: 'x"; DROP TABLE y; --' }, /tablePrefix: expected 1 to 32 letters/],
    [{ path: "a.db", tablePrefix: "1a" }, /tablePrefix: expected/],
    [{ path: "a.db", tablePrefix: "" }, /tablePrefix: expected/],
    [{ path: "a.db", tablePrefix: "a".repeat(33) }, /tablePrefix: expected/],
    [{ path: "a.db", tablePrefix: "sqlite_x" }, /tablePrefix: expected/],
    [{ database: {} }, /database: expected an open better-sqlite3 connection, got an object/],
    [
      { database: new Database(":memory:") },
      /expected a connection to a file, got one to a database in memory/,
    ],
  ])("%o is refused", (options, message) => {
    const error = refusal(options);
    expect(error.code).toBe("TASKQ_OPTION");
    expect(error.message).toMatch(message);
  });

  test("a closed connection of the user's is refused", () => {
    const database = new Database(join(temporaryFolder(), "a.db"));
    database.close();
    const error = refusal({ database });
    expect(error.code).toBe("TASKQ_OPTION");
    expect(error.message).toMatch(/expected an open connection/);
  });
});

describe("places", () => {
  test("a missing folder is refused, and none is made", async () => {
    const folder = join(temporaryFolder(), "missing");
    expect((await refused(join(folder, "jobs.db"))).message).toMatch(
      /expected its folder .* to exist, got none/,
    );
    expect(existsSync(folder)).toBe(false);
  });

  test("a folder under the file's name is refused", async () => {
    const path = join(temporaryFolder(), "jobs.db");
    mkdirSync(path);
    expect((await refused(path)).message).toMatch(/expected a file, got a folder/);
  });

  test("a file that is no SQLite database is refused and left as it is", async () => {
    const path = join(temporaryFolder(), "jobs.db");
    const text = "not a database, but long enough to be taken for one ".repeat(40);
    writeFileSync(path, text);
    expect((await refused(path)).message).toMatch(/expected a SQLite database, got another kind of file/);
    expect(statSync(path).size).toBe(text.length);
  });

  // The superuser may write everywhere.
  test.skipIf(ROOT)("a file that may not be written is refused", async () => {
    const path = join(temporaryFolder(), "jobs.db");
    writeFileSync(path, "");
    chmodSync(path, 0o400);
    expect((await refused(path)).message).toMatch(/expected to be allowed to read and write, got a refusal/);
  });

  test.skipIf(ROOT)("a folder that may not be written is refused", async () => {
    const folder = join(temporaryFolder(), "closed");
    mkdirSync(folder);
    chmodSync(folder, 0o500);
    expect((await refused(join(folder, "jobs.db"))).message).toMatch(/the folder .* got a refusal/);
  });

  test.skipIf(ROOT)("a folder that may not be entered is refused", async () => {
    const folder = join(temporaryFolder(), "closed");
    mkdirSync(join(folder, "inner"), { recursive: true });
    chmodSync(folder, 0o000);
    afterTest(() => chmodSync(folder, 0o700));
    const error = await refused(join(folder, "inner", "jobs.db"));
    expect(error.message).toMatch(/expected a place that can be reached, got EACCES: .*inner'$/);
  });

  test("a folder that cannot be reached is refused", async () => {
    const folder = join(temporaryFolder(), "loop");
    symlinkSync(folder, folder);
    const error = await refused(join(folder, "jobs.db"));
    expect(error.message).toMatch(/expected a place that can be reached, got ELOOP: .*loop'$/);
    expect(error.cause).toMatchObject({ code: "ELOOP" });
  });

  test("a name behind which SQLite can put nothing is refused, and no file is made", async () => {
    const folder = temporaryFolder();
    const longest = `${"é".repeat(123)}a`;
    await openStorage({ path: join(folder, longest) });
    const { message } = await refused(join(folder, `${longest}b`));
    expect(message).toMatch(/expected a name of at most 247 bytes, behind which SQLite can put '-journal'$/);
    expect(existsSync(join(folder, `${longest}b`))).toBe(false);
  });

  test("a file that cannot be made is told of with the reason", async () => {
    expect((await refused("/proc/jobs.db")).message).toMatch(
      /expected to be able to create it, got E[A-Z]+: /,
    );
  });

  test("a folder that nobody can write to is refused", async () => {
    expect((await refused("/proc/jobs.db")).message).toMatch(/expected/);
  });

  test("a storage that could not open opens once the folder is there", async () => {
    const folder = join(temporaryFolder(), "later");
    const storage = storageOf({ path: join(folder, "jobs.db") });
    await failure(storage.open({ queue: QUEUE, retention: RETENTION }));
    mkdirSync(folder);
    await expect(storage.open({ queue: QUEUE, retention: RETENTION })).resolves.toMatchObject({
      phase: "open",
    });
  });

  test.each([
    [0x6969, "NFS"],
    [0xff53_4d42, "CIFS"],
    [0x517b, "SMB"],
    [-0xacb2be, "CIFS"],
  ])("a file system of type %i is refused as one across the network", (type, name) => {
    expect(() => checkFileSystem("/net/jobs.db", type)).toThrow(`got one on ${name}`);
  });

  test("file systems of this machine are accepted", () => {
    const warn = vi.spyOn(process, "emitWarning").mockReturnValue();
    for (const type of [0xef53, 0x0102_1994, 0x9123_683e, 0x5846_5342, 0x794c_7630]) {
      expect(() => checkFileSystem("/jobs.db", type)).not.toThrow();
    }
    expect(warn).not.toHaveBeenCalled();
  });

  test.each([
    [0x6573_5546, "FUSE or virtiofs"],
    [0x786f_4256, "VirtualBox"],
    [-0x4534_5344, "VMware"],
  ])("a file system of type %i, which others make up, is warned of", (type, name) => {
    const warn = vi.spyOn(process, "emitWarning").mockReturnValue();
    checkFileSystem("/mnt/jobs.db", type);
    expect(warn).toHaveBeenCalledExactlyOnceWith(
      expect.stringMatching(`/mnt/jobs.db is on .*${name}.*processes of this one alone`),
      { code: "TASKQ_FILE_SYSTEM" },
    );
  });
});

describe("versions", () => {
  test("better-sqlite3 13 is refused on a Node that it would crash", () => {
    expect(() => refuseCrash("13.2.0", "9", "v20.20.2")).toThrow(
      /better-sqlite3 13.2.0: expected Node-API 10 or later, got 9 in Node v20.20.2/,
    );
    expect(() => refuseCrash("13.2.0", undefined, "v20.20.2")).toThrow(/expected Node-API 10/);
    expect(() => refuseCrash("13.2.0", "10", "v22.23.3")).not.toThrow();
    expect(() => refuseCrash("12.11.1", "9", "v20.20.2")).not.toThrow();
  });

  test("a SQLite with which several writers can corrupt a file is refused", () => {
    expect(() => refuseOldSqlite("3.51.2")).toThrow(/expected 3.51.3 or later, got 3.51.2/);
    expect(() => refuseOldSqlite("3.9.9")).toThrow(/got 3.9.9/);
    expect(() => refuseOldSqlite("3.51.3")).not.toThrow();
    expect(() => refuseOldSqlite("3.53.2")).not.toThrow();
    expect(() => refuseOldSqlite("4.0.0")).not.toThrow();
  });
});

describe("file modes", () => {
  test("a new file and what is beside it are for its owner only", async () => {
    const path = join(temporaryFolder(), "jobs.db");
    const storage = await openStorage({ path });
    await storage.enqueue({ queue: QUEUE, flows: [flow()] });
    for (const suffix of ["", "-wal", "-shm"]) expect(statSync(path + suffix).mode & 0o777).toBe(0o600);
  });

  test.each([
    ["to it", "first.db"],
    ["to a link to it", "second.db"],
    ["to its folder", "linked/jobs.db"],
  ])("a new file is for its owner only where a link leads %s", async (_, name) => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "real"));
    const file = join(folder, "real", "jobs.db");
    symlinkSync(file, join(folder, "first.db"));
    symlinkSync("first.db", join(folder, "second.db"));
    symlinkSync("real", join(folder, "linked"));
    const storage = await openStorage({ path: join(folder, name) });
    await storage.enqueue({ queue: QUEUE, flows: [flow()] });
    for (const suffix of ["", "-wal", "-shm"]) expect(statSync(file + suffix).mode & 0o777).toBe(0o600);
  });

  test("a file that others can write to is warned of", async () => {
    const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    const path = join(temporaryFolder(), "jobs.db");
    writeFileSync(path, "");
    chmodSync(path, 0o666);
    await openStorage({ path });
    expect(warn).toHaveBeenCalledWith(expect.stringContaining(path), { code: "TASKQ_FILE_MODE" });
  });

  test("a file of two names is warned of, and one of which a link tells is not", async () => {
    const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    const path = join(temporaryFolder(), "jobs.db");
    writeFileSync(path, "", { mode: 0o600 });
    symlinkSync(path, `${path}.link`);
    await openStorage({ path: `${path}.link` });
    expect(warn).not.toHaveBeenCalled();
    const other = join(temporaryFolder(), "jobs.db");
    writeFileSync(other, "", { mode: 0o600 });
    linkSync(other, `${other}.copy`);
    await openStorage({ path: other });
    expect(warn).toHaveBeenCalledWith(expect.stringContaining("has 2 names"), { code: "TASKQ_FILE_LINKS" });
  });
});

describe("a file that is gone while it is open", () => {
  test("is a typed error when it was deleted", async () => {
    const error = await laterEnqueue((path) => rmSync(path));
    expect(error.code).toBe("TASKQ_STORAGE");
    expect(error.message).toMatch(/expected the file that was opened, but it was deleted/);
    // No run is to blame for it.
    expect(isMetByAll(error)).toBe(true);
  });

  test("is a typed error when another one has taken its place", async () => {
    const error = await laterEnqueue((path) => {
      renameSync(path, `${path}.old`);
      writeFileSync(path, "");
    });
    expect(error.code).toBe("TASKQ_STORAGE");
    expect(error.message).toMatch(/but another file has taken its place/);
  });

  test("is a typed error when its log was deleted, and what was enqueued is kept", async () => {
    const path = join(temporaryFolder(), "jobs.db");
    const storage = await openStorage({ path });
    const stored = flow();
    await storage.enqueue({ queue: QUEUE, flows: [stored] });
    rmSync(`${path}-wal`);
    rmSync(`${path}-shm`);
    await new Promise((done) => setTimeout(done, 100));
    const error = await failure(storage.enqueue({ queue: QUEUE, flows: [flow()] }));
    expect(error.code).toBe("TASKQ_STORAGE");
    expect(error.message).toMatch(/jobs\.db-wal to stay as long as the file is in use, but it was deleted/);
    await storage.close();
    const later = await openStorage({ path });
    expect(await later.read({ queue: QUEUE, ids: [stored.end] })).toMatchObject([{ state: "ready" }]);
  });

  test("is a typed error when a link to it leads to another one", async () => {
    const path = join(temporaryFolder(), "jobs.db");
    symlinkSync(`${path}.first`, path);
    const storage = await openStorage({ path });
    rmSync(path);
    writeFileSync(`${path}.second`, "");
    symlinkSync(`${path}.second`, path);
    await new Promise((done) => setTimeout(done, 100));
    const error = await failure(storage.enqueue({ queue: QUEUE, flows: [flow()] }));
    expect(error.message).toMatch(/but another file has taken its place/);
  });

  test("is told to those who watch", async () => {
    const path = join(temporaryFolder(), "jobs.db");
    const storage = await openStorage({ path });
    const told = new Promise((resolve) => {
      const stop = storage.watch(QUEUE, (hint) => {
        stop();
        resolve(hint.kind);
      });
    });
    rmSync(path);
    await expect(told).resolves.toBe("any");
    expect((await failure(storage.enqueue({ queue: QUEUE, flows: [flow()] }))).code).toBe("TASKQ_STORAGE");
  });
});

test("a storage under a link is the one of the file", async () => {
  const folder = temporaryFolder();
  const first = await openStorage({ path: join(folder, "jobs.db") });
  symlinkSync(join(folder, "jobs.db"), join(folder, "link.db"));
  const second = await openStorage({ path: join(folder, "link.db") });
  const stored = flow();
  await first.enqueue({ queue: QUEUE, flows: [stored] });
  expect(await second.read({ queue: QUEUE, ids: [stored.end] })).toMatchObject([{ state: "ready" }]);
});
