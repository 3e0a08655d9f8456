import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { countFile } from "../src/count-file.js";

let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "taskq-count-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function count(content: string | Uint8Array) {
  await writeFile(join(folder, "file"), content);
  return countFile(join(folder, "file"));
}

test("words are what stands between white space", async () => {
  expect((await count("a  b\tc\nd\r\ne\vf\fg")).words).toBe(7);
  expect((await count(" \n\t ")).words).toBe(0);
  expect((await count("größe ünd")).words).toBe(2);
});

test("a word that lies across two reads is one word", async () => {
  const text = `${"x".repeat(65_530)} ${"y".repeat(20)} z`;
  const { words, bytes, hash } = await count(text);
  expect(words).toBe(3);
  expect(bytes).toBe(text.length);
  expect(hash).toBe(createHash("sha256").update(text).digest("hex"));
});

test("a file with a zero byte near its beginning is binary, and has no words", async () => {
  const content = Buffer.from([104, 105, 0, 32, 104]);
  expect(await count(content)).toMatchObject({ binary: true, words: 0, bytes: 5 });
  expect(await count("")).toMatchObject({ binary: false, words: 0, bytes: 0 });
});

test("a file that is not there rejects", async () => {
  await expect(countFile(join(folder, "missing"))).rejects.toMatchObject({ code: "ENOENT" });
});
