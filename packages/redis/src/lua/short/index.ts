export { add } from "./add.js";
export { step } from "./step.js";
