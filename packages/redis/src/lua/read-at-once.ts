/** Bytes of values, or of results and messages, after which a script that only reads them answers no more: others wait meanwhile. */
export const READ_AT_ONCE = 1_048_576;
