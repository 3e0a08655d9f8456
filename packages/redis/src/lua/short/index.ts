export { add } from "./add.js";
export { request, step } from "./step.js";
