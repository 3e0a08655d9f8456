import { unavailable } from "../connection/failure.js";

/**
 * A call that asks several partitions, one after the other, settles within the time of one: what it has asked for by then may be
 * carried out, as of any call that is not answered.
 *
 * @throws `TASKQ_UNAVAILABLE`
 */
export function within<Answer>(timeout: number, what: string, call: Promise<Answer>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(unavailable(what, timeout, undefined)), timeout);
    call.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
