/** Numbers below 1, the same for the same seed: a linear congruential generator (Numerical Recipes, "quick and dirty"). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Whole numbers from 0 on below one, likewise. */
export type Below = (below: number) => number;

export function seededBelow(seed: number): Below {
  const next = seeded(seed);
  return (below) => Math.floor(next() * below);
}
