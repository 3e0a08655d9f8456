import { isPromise } from "../is-promise.js";
import { callable, oneOf } from "../options.js";
import { errorText } from "./failure.js";
import type { Logger } from "../vocabulary/logger.js";
import type { EventType, QueueEvent, QueueEvents } from "../vocabulary/events.js";

type Listener = (event: QueueEvent) => unknown;

const TYPES: Readonly<Record<EventType, true>> = {
  enqueued: true,
  scheduled: true,
  started: true,
  completed: true,
  failed: true,
  retrying: true,
  timeout: true,
  cancelled: true,
  revoked: true,
  expired: true,
  skipped: true,
  locked: true,
  limited: true,
  interrupted: true,
  "lease-lost": true,
  quarantined: true,
  progress: true,
};
const NAMES = Object.keys(TYPES) as EventType[];

/** The listeners of one queue in this process. A listener that throws disturbs nobody: it is logged. */
export class EventHub {
  readonly #listeners = new Map<EventType, Set<Listener>>();
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Whether anybody listens: an event that nobody hears need not be made. */
  wants(type: EventType): boolean {
    return this.#listeners.has(type);
  }

  /** @throws `TASKQ_OPTION` for an unknown event */
  on(types: EventType | readonly EventType[] | "*", listener: Listener): Disposable {
    const asked: unknown[] = Array.isArray(types) ? types : [types];
    const names = types === "*" ? NAMES : asked.map((type) => oneOf(type, NAMES, "event"));
    callable(listener, "on listener");
    // A wrapper of its own, so that one function registered twice is two listeners.
    const heard: Listener = (event) => listener(event);
    for (const name of names) this.#of(name).add(heard);
    return {
      [Symbol.dispose]: () => {
        for (const name of names) {
          const set = this.#listeners.get(name);
          if (set?.delete(heard) === true && set.size === 0) this.#listeners.delete(name);
        }
      },
    };
  }

  emit<Type extends EventType>(type: Type, event: QueueEvents[Type]): void {
    const listeners = this.#listeners.get(type);
    if (listeners === undefined) return;
    const told = { ...event, type } as unknown as QueueEvent;
    // A copy: a listener may dispose of another one, or of itself.
    for (const listener of Array.from(listeners)) this.#tell(listener, told);
  }

  #tell(listener: Listener, event: QueueEvent): void {
    try {
      const answer = listener(event);
      if (isPromise(answer)) Promise.resolve(answer).catch((error: unknown) => this.#complain(event, error));
    } catch (error) {
      this.#complain(event, error);
    }
  }

  #complain(event: QueueEvent, error: unknown): void {
    const about = { event: event.type, id: event.id, error: errorText(error) };
    this.#logger.error(about, "a listener of the queue threw");
  }

  #of(type: EventType): Set<Listener> {
    let set = this.#listeners.get(type);
    if (set === undefined) this.#listeners.set(type, (set = new Set()));
    return set;
  }
}
