/**
 * What consumers lend to handlers, as `context.resources`. Yours to declare, once, anywhere in the
 * program; the consumer's option `resources` must then make each of them.
 *
 * @example
 * declare module "@taskq/core" {
 *   interface Resources {
 *     readonly db: Database;
 *   }
 * }
 */
export interface Resources {}
