/** What a consumer process tells mission control, over the channel that `fork` makes. */
import type { QueueEvent } from "@taskq/core";

export type Report =
  | { readonly kind: "ready" }
  | { readonly kind: "event"; readonly event: SentEvent }
  /** File jobs since the report before. */
  | { readonly kind: "counted"; readonly files: number; readonly words: number };

/** An event as it travels: JSON makes texts of its instants. */
export type SentEvent = QueueEvent extends infer Event ? Travelling<Event> : never;
type Travelling<Event> = {
  readonly [Field in keyof Event]: Event[Field] extends Date ? Date | string : Event[Field];
};
