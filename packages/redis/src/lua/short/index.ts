export { add } from "./add.js";
export { upTo } from "./key.js";
export { read } from "./read.js";
export { request, step } from "./step.js";
