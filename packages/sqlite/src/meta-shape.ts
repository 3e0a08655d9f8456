/** Whether a text that stands beside a row, parsed, is one that was written there: nobody keeps others from writing another. */

export function isMeta(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { name, gates, unique, after, keep, verdict } = value;
  return (
    (name === undefined || typeof name === "string") &&
    (gates === undefined || (Array.isArray(gates) && gates.every(isGate))) &&
    (unique === undefined || isUnique(unique)) &&
    (after === undefined || (Array.isArray(after) && after.every(isText))) &&
    (keep === undefined || isKeep(keep)) &&
    (verdict === undefined || isVerdict(verdict))
  );
}

type Fields = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isText(value: unknown): boolean {
  return typeof value === "string";
}

function isGate(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { kind, key, max, per, onBusy } = value;
  if (typeof key !== "string" || typeof max !== "number" || typeof onBusy !== "string") return false;
  return kind === "limit" ? typeof per === "number" : kind === "lock" || kind === "concurrency";
}

function isUnique(value: unknown): boolean {
  return isObject(value) && typeof value["key"] === "string" && value["until"] !== undefined;
}

function isKeep(value: unknown): boolean {
  // For ever is written as null.
  return isObject(value) && Object.values(value).every((part) => part === null || typeof part === "number");
}

function isVerdict(value: unknown): boolean {
  return isObject(value) && typeof value["gate"] === "string" && typeof value["gateKind"] === "string";
}
