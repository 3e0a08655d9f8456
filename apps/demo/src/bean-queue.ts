import { createQueue } from "@taskq/core";
import { countBeans } from "./bean-tasks.js";
import { storageAt } from "./store.js";

export function openBeanQueue(place: string) {
  return createQueue({ name: "beans", storage: storageAt(place), tasks: { countBeans } });
}

export type BeanQueue = ReturnType<typeof openBeanQueue>;
