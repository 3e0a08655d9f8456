/**
 * Calls what may throw for many bytes on end, and whose errors are told without their stacks anyway: taking one down
 * costs more than most messages do. What it calls is synchronous, so that nobody else's errors lose theirs.
 */
export function withoutStacks<Value>(read: () => Value): Value {
  const limit = Error.stackTraceLimit;
  // Not of a program that has frozen its intrinsics.
  if (!Object.isExtensible(Error)) return read();
  Error.stackTraceLimit = 0;
  try {
    return read();
  } finally {
    Error.stackTraceLimit = limit;
  }
}
