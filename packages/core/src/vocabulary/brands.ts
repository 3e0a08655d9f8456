/** Marks, in the type only, what a task, a job or a prepared job yields. No value has it. */
export declare const output: unique symbol;

/** Marks the input of a handler whose input has no type. No value has it. */
export declare const untyped: unique symbol;

/** Marks, in the type only, what a storage package made. No value has it. */
export declare const storage: unique symbol;
