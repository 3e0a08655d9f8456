export { add, addOne } from "./add.js";
export { addMixed } from "./add-mixed.js";
export { upTo } from "./key.js";
export { read } from "./read.js";
export { request } from "./request.js";
export { alone, both, shared } from "./run.js";
export { step } from "./step.js";
