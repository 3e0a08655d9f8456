/** As in `engines` of package.json: major and minor version. */
const OLDEST = [20, 19] as const;

/** Why the command cannot run on this version of Node; `undefined`: it can. Imports nothing that an old Node lacks. */
export function refusalOfNode(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [oldest, least] = OLDEST;
  if (major > oldest || (major === oldest && minor >= least)) return undefined;
  return `needs Node ${oldest}.${least} or later, got ${version}`;
}
