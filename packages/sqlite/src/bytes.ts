/** Bytes as the contract has them: the driver's `Buffer` without its methods. */
export function bytesOf(blob: Uint8Array): Uint8Array {
  if (blob.constructor === Uint8Array) return blob;
  return new Uint8Array(blob.buffer, blob.byteOffset, blob.byteLength);
}

export function bytesIfAny(blob: Uint8Array | null): Uint8Array | undefined {
  return blob === null ? undefined : bytesOf(blob);
}
