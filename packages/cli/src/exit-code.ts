/** What the process tells the shell. */
export const exitCode = {
  /** It did what it was asked, and stopped when it was told to. */
  ok: 0,
  /** It was asked the right thing and could not do it. */
  failure: 1,
  /** It was asked the wrong thing. */
  usage: 2,
  /** A signal ended it before it was done, as shells report SIGINT. */
  interrupted: 130,
} as const;
