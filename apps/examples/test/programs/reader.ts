/** What the blocks of the documentation leave to their reader. Never executed. */
import { createQueue, task, type FailureReport } from "@taskq/core";
import { memoryStorage } from "@taskq/memory";

export declare const url: string;
export declare const urls: readonly string[];
export declare const id: string;
export declare const date: Date;
export declare const host: string;
export declare const port: number;
export declare function handler(): Promise<void>;
export declare function readCursor(): Promise<string | undefined>;
export declare function writeCursor(cursor: string): Promise<void>;
export declare function tell(id: string, message: string): Promise<void>;
export declare function sendDigest(tenant: string): Promise<void>;

export const add = task("add", async ({ a, b }: { a: number; b: number }) => a + b);
export const fetchPage = task("fetch-page", async ({ url: from }: { url: string }) =>
  (await fetch(from)).text(),
);
export const transform = task("transform", async ({ input }: { input: string; factor: number }) => input);
export const store = task("store", async (text: string) => console.log(text));
export const aggregate = task("aggregate", async (pages: readonly string[]) => pages.length);
export const alertTeam = task("alert-team", async (failure: FailureReport) => console.error(failure.id));
export const sendEmail = task("send-email", async ({ to }: { to: string }) => console.log(to));
export const digest = task("digest", async ({ user }: { user: number }) => user);
export const tasks = { add, fetchPage, transform, store, aggregate, alertTeam, sendEmail, digest };
export const storage = memoryStorage();
export const queue = createQueue({ storage, tasks });
