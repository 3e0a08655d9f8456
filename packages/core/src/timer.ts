/** The longest delay that a timer of Node takes; a longer one would fire at once. */
export const LONGEST_TIMER: number = 2 ** 31 - 1;

/** As `setTimeout`, for however long; cleared by `clearTimeout`. */
export function startTimer(fire: () => void, delay: number): ReturnType<typeof setTimeout> {
  if (delay <= LONGEST_TIMER) return setTimeout(fire, delay);
  let turns = Math.ceil(delay / LONGEST_TIMER);
  const timer = setTimeout(
    () => {
      turns -= 1;
      if (turns > 0) timer.refresh();
      else fire();
    },
    Math.ceil(delay / turns),
  );
  return timer;
}
