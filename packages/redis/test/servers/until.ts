/** Waits until something is true of the servers; rejects with the last reason it was not. */
export async function until(what: string, isTrue: () => Promise<boolean>, within = 20_000): Promise<void> {
  const end = Date.now() + within;
  let last: unknown = "it was false";
  while (Date.now() < end) {
    try {
      if (await isTrue()) return;
    } catch (error) {
      last = error;
    }
    await new Promise((done) => setTimeout(done, 25));
  }
  throw new Error(`waited ${within} ms until ${what}`, { cause: last });
}
