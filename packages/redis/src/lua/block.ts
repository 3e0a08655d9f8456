/**
 * Orders of one block. A row that is stored alone is an entry of its own, under its order; of many that are stored at once, those of
 * a block are one entry, with their keys in a row, under the first order of the block. `listed` knows how many of those there are.
 */
export const BLOCK = 64;

/** So many jobs of a block stand in line as one, while all of them are ready. */
export const TOGETHER = 16;
