export { add } from "./add.js";
export { upTo } from "./key.js";
export { read } from "./read.js";
export { alone, both, request, step } from "./step.js";
