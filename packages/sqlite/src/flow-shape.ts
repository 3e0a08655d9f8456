import type { NewFlow } from "@taskq/core/storage";

/** What follows from how the rows of a flow hang together. */
export interface FlowShape {
  /** Ids that have edges of this flow starting at them. */
  readonly followed: ReadonlySet<string>;
  /** By id: the join to which a job or join leads, and nowhere else. */
  readonly trunks: ReadonlyMap<string, string>;
}

/**
 * Finds out where each row of a flow leads. Error handlers do not count as elsewhere: they run for failures of their own.
 *
 * @param endTrunk The join to which the end of the flow leads.
 */
export function shapeOf(flow: NewFlow, endTrunk: string | undefined): FlowShape {
  const consumers = new Map<string, { readonly id: string; readonly join: boolean }[]>();
  const followed = new Set<string>();
  const add = (source: string, id: string, join: boolean): void => {
    const list = consumers.get(source);
    if (list === undefined) consumers.set(source, [{ id, join }]);
    else list.push({ id, join });
  };
  for (const job of flow.jobs) {
    for (const edge of job.after ?? []) {
      followed.add(edge.source);
      if (edge.on !== "failed") add(edge.source, job.id, false);
    }
  }
  for (const join of flow.joins) {
    for (const member of join.members) {
      followed.add(member);
      add(member, join.id, true);
    }
  }
  if (flow.joins.length === 0 && endTrunk === undefined) return { followed, trunks: new Map() };
  return { followed, trunks: trunksOf(flow, consumers, endTrunk) };
}

type Consumers = ReadonlyMap<string, readonly { readonly id: string; readonly join: boolean }[]>;

function trunksOf(flow: NewFlow, consumers: Consumers, endTrunk: string | undefined): Map<string, string> {
  const found = new Map<string, string | undefined>();
  const trunkOf = (id: string): string | undefined => {
    if (found.has(id)) return found.get(id);
    found.set(id, undefined);
    const led = (consumers.get(id) ?? []).map((consumer) =>
      chainOf(consumer.join ? consumer.id : trunkOf(consumer.id)),
    );
    if (id === flow.end && endTrunk !== undefined) led.push(chainOf(endTrunk));
    const trunk = led[0]?.find((join) => led.every((chain) => chain.includes(join)));
    found.set(id, trunk);
    return trunk;
  };
  /** A join, the one that it leads to, and so on. */
  const chainOf = (join: string | undefined): readonly string[] => {
    const chain: string[] = [];
    for (let next = join; next !== undefined; next = next === endTrunk ? undefined : trunkOf(next))
      chain.push(next);
    return chain;
  };
  const trunks = new Map<string, string>();
  for (const { id } of [...flow.joins, ...flow.jobs].toReversed()) {
    const trunk = trunkOf(id);
    if (trunk !== undefined) trunks.set(id, trunk);
  }
  return trunks;
}
