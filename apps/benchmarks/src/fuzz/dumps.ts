/** Dumps and records of moves that somebody has tampered with, and what reads them. */
import { createHash } from "node:crypto";
import { lineOf, readDump, UserError } from "@taskq/cli/fuzz";
import { createQueue, cron, group, task, TaskqError, type Queue } from "@taskq/core";
import { comeToRest, engineOf, Ticker } from "@taskq/core/engine";
import { MOVED_AT_ONCE, type MovedRecord } from "@taskq/core/storage";
import { memoryStorage } from "@taskq/memory";
import { anyValue, hostileBytes, jsonText, pick, type Random } from "./inputs.js";
