/** `@taskq/cli`: the command `taskq`. */
export { main } from "./main.js";
