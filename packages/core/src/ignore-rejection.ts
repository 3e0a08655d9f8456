import { isPromise } from "./is-promise.js";

/** Of what a function has answered that was to answer a value: a promise may reject, and nobody hears of it. Answers whether it is one. */
export function ignoreRejection(answer: unknown): answer is Promise<unknown> {
  if (!isPromise(answer)) return false;
  Promise.resolve(answer).catch(() => {});
  return true;
}
