import { accessSync, constants, statfsSync, statSync, type Stats } from "node:fs";
import { basename, dirname } from "node:path";
import { metByAll, TaskqError } from "@taskq/core/storage";
import { isLoneMount } from "./lone-mount.js";

/** File systems across a network, by the number that statfs answers on Linux: SQLite's locks do not hold there. */
const NETWORK_FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xff534d42, "CIFS"],
  [0xfe534d42, "SMB2"],
  [0x564c, "NCP"],
  [0x5346414f, "AFS"],
  [0x6b414653, "AFS"],
  [0x00c36400, "Ceph"],
  [0x01021997, "9P"],
  [0x73757245, "Coda"],
  [0x7461636f, "OCFS2"],
  [0x0bd00bd0, "Lustre"],
  [0x47504653, "GPFS"],
]);

/**
 * File systems of which another program, or the host of this machine, says what they do, by the same number: their locks may
 * hold or not, and whoever else reaches the file takes locks of its own, and shares no memory with us.
 */
const FOREIGN_FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x65735546, "FUSE or virtiofs"],
  [0x786f4256, "a shared folder of VirtualBox"],
  [0xbacbacbc, "a shared folder of VMware"],
]);

/** How long a look at the file counts, in milliseconds: what is stored meanwhile may be lost. A look takes 7 µs. */
const LOOK_AGAIN_AFTER = 20;
/** The same before a write, which is followed by a look: others hear of it sooner. */
const LOOK_BEFORE_AFTER = 1_000;
const WRITABLE_BY_OTHERS = 0o022;
/** A name has 255 bytes at most, nearly everywhere; the longest that SQLite makes of it is that of a journal. */
const LONGEST_NAME = 255 - "-journal".length;

function refusal(message: string, cause?: unknown): TaskqError {
  return metByAll(new TaskqError("TASKQ_STORAGE", message, cause === undefined ? undefined : { cause }));
}

/** Refuses a place where no database can be, before one is made there. @throws `TASKQ_STORAGE` */
export function checkPlace(path: string): void {
  if (Buffer.byteLength(basename(path)) > LONGEST_NAME) {
    throw refusal(
      `the SQLite file ${path}: expected a name of at most ${LONGEST_NAME} bytes, behind which SQLite can put '-journal'`,
    );
  }
  const folder = dirname(path);
  const there = entryAt(folder, path);
  if (there === undefined || !there.isDirectory()) {
    throw refusal(
      `the SQLite file ${path}: expected its folder ${folder} to exist, got ${there === undefined ? "none" : "a file"}`,
    );
  }
  checkFileSystem(path, statfsSync(folder).type);
  const file = entryAt(path);
  if (file?.isDirectory() === true) throw refusal(`the SQLite file ${path}: expected a file, got a folder`);
  checkWritable(folder, `the folder ${folder} of the SQLite file ${path}`);
  if (file === undefined) return;
  checkWritable(path, `the SQLite file ${path}`);
  warnOfOthers(path, file);
  warnOfNames(path, file);
  warnOfLoneMount(path);
}

/** What there is, if anything. @throws `TASKQ_STORAGE` where the way there is closed */
function entryAt(place: string, path = place): Stats | undefined {
  try {
    return statSync(place, { throwIfNoEntry: false });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw refusal(`the SQLite file ${path}: expected a place that can be reached, got ${message}`, error);
  }
}

/** Warns where nobody knows whether locks hold. @throws `TASKQ_STORAGE` for a file system on another machine. */
export function checkFileSystem(path: string, type: number): void {
  const network = NETWORK_FILE_SYSTEMS.get(type >>> 0);
  if (network !== undefined) {
    throw refusal(
      `the SQLite file ${path}: expected a file on a disk of this machine, got one on ${network}, where its locks do not hold`,
    );
  }
  const foreign = FOREIGN_FILE_SYSTEMS.get(type >>> 0);
  if (foreign === undefined) return;
  process.emitWarning(
    `the SQLite file ${path} is on ${foreign}, which may come from another machine: let processes of this one alone open it, ` +
      "or they would damage it, and only if its locks hold there. A disk of this machine is safe",
    { code: "TASKQ_FILE_SYSTEM" },
  );
}

function checkWritable(path: string, what: string): void {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
  } catch (error) {
    throw refusal(`${what}: expected to be allowed to read and write, got a refusal`, error);
  }
}

/** On Windows lists say who may write; what Node tells there is a mode that anybody may. */
function warnOfOthers(path: string, { mode }: Stats): void {
  if (process.platform === "win32" || (mode & WRITABLE_BY_OTHERS) === 0) return;
  process.emitWarning(
    `other users can write to the SQLite file ${path} (mode ${(mode & 0o777).toString(8)}), and so into the queue`,
    {
      code: "TASKQ_FILE_MODE",
    },
  );
}

/** SQLite names its log after the name that the file was opened by, and processes that have two logs overwrite each other's pages. */
function warnOfNames(path: string, { nlink }: Stats): void {
  if (nlink < 2) return;
  process.emitWarning(
    `the SQLite file ${path} has ${nlink} names (hard links): each has a log of its own, so that processes which open it by ` +
      "different ones would damage the file. Keep one name, or make the others symbolic links",
    { code: "TASKQ_FILE_LINKS" },
  );
}

function warnOfLoneMount(path: string): void {
  if (!isLoneMount(path)) return;
  process.emitWarning(
    `the SQLite file ${path} is mounted by itself: its log lies beside it, within this container alone, and what it holds is ` +
      "lost with the container; two containers would damage the file. Mount its folder",
    { code: "TASKQ_FILE_MOUNT" },
  );
}

/** What SQLite keeps beside the file as long as it is open; whoever opens it next would make them anew, and see nothing of ours. */
const BESIDE = ["-wal", "-shm"] as const;

/** Notices that the file which is open, or one of those beside it, is no longer the one under its name. */
export class FileGuard {
  private readonly path: string;
  /** As SQLite names it, without links. */
  private readonly file: string;
  private readonly device: number;
  private readonly inode: number;
  /** By what they are named behind the file; they come with the first look at it. */
  private readonly beside = new Map<string, number>();
  private lookedAt: number;
  private failure: TaskqError | undefined;

  constructor(path: string, file: string) {
    this.path = path;
    this.file = file;
    const { dev, ino } = statSync(path);
    this.device = dev;
    this.inode = ino;
    this.lookedAt = performance.now();
    this.lookBeside();
  }

  /** Unless it was looked at just now. @throws `TASKQ_STORAGE` */
  check(): void {
    this.lookAfter(LOOK_AGAIN_AFTER);
  }

  /** Before a write that `check` follows, unless it was looked at not long ago. @throws `TASKQ_STORAGE` */
  checkBefore(): void {
    this.lookAfter(LOOK_BEFORE_AFTER);
  }

  private lookAfter(milliseconds: number): void {
    if (this.failure !== undefined) throw this.failure;
    if (performance.now() - this.lookedAt >= milliseconds) this.look();
  }

  /** Now. @throws `TASKQ_STORAGE` */
  look(): void {
    const now = performance.now();
    const there = entryAt(this.path);
    if (there?.dev !== this.device || there.ino !== this.inode) {
      this.fail(
        `expected the file that was opened, but ${happened(there)}; what is enqueued now would be lost`,
      );
    }
    this.lookBeside();
    // Not before: a look that could not see the file does not count.
    this.lookedAt = now;
  }

  private lookBeside(): void {
    for (const name of BESIDE) {
      const there = entryAt(`${this.file}${name}`, this.path);
      const known = this.beside.get(name);
      if (known === undefined) {
        if (there !== undefined) this.beside.set(name, there.ino);
      } else if (there?.ino !== known) {
        this.fail(
          `expected ${this.file}${name} to stay as long as the file is in use, but ${happened(there)}; what is enqueued ` +
            "now would be lost. Stop all processes that use the file: the last one that closes it brings its log into it",
        );
      }
    }
  }

  private fail(what: string): never {
    this.failure = refusal(`the SQLite file ${this.path}: ${what}`);
    throw this.failure;
  }
}

function happened(there: Stats | undefined): string {
  return there === undefined ? "it was deleted" : "another file has taken its place";
}
