/** What we use of better-sqlite3, as a structural subset. */
export interface Driver {
  readonly name: string;
  readonly open: boolean;
  readonly inTransaction: boolean;
  prepare(source: string): DriverStatement;
  exec(source: string): unknown;
  pragma(source: string, options?: { simple?: boolean }): unknown;
  close(): unknown;
}

export interface DriverStatement {
  run(...parameters: unknown[]): { readonly changes: number };
  get(...parameters: unknown[]): unknown;
  all(...parameters: unknown[]): unknown[];
  /** Rows as arrays, which is quicker than objects. */
  raw(on?: boolean): DriverStatement;
}

/** Opens a file. */
export type DriverFactory = new (
  path: string,
  options: { readonly timeout: number; readonly fileMustExist?: boolean },
) => Driver;
