/** Numbers from 0 up to 1 that are the same for the same seed: Marsaglia's 32-bit xorshift (doi:10.18637/jss.v008.i14). */
export function randomSource(seed: number): () => number {
  // Zero is the one state that the generator never leaves.
  let state = Math.imul(seed | 0, 0x9e37_79b1) | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
