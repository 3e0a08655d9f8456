import type { NewFlow } from "@taskq/core/storage";

/** What follows from how the rows of a flow hang together. */
export interface FlowShape {
  /** Ids that have edges of this flow starting at them. */
  readonly followed: ReadonlySet<string>;
  /** By id: the join to which a job or join leads, and nowhere else. */
  readonly trunks: ReadonlyMap<string, string>;
  /** By id: the joins to which it leads beside something else. */
  readonly spared: ReadonlyMap<string, ReadonlySet<string>>;
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
  if (flow.joins.length === 0 && endTrunk === undefined) {
    return { followed, trunks: new Map(), spared: new Map() };
  }
  return { followed, ...leadings(flow, consumers, endTrunk) };
}

type Consumers = ReadonlyMap<string, readonly { readonly id: string; readonly join: boolean }[]>;

/** Where a row leads: to one join and nowhere else, or to joins beside something else. */
interface Leading {
  readonly trunk: string | undefined;
  readonly joins: ReadonlySet<string>;
}

const NOWHERE: Leading = { trunk: undefined, joins: new Set() };

function leadings(
  flow: NewFlow,
  consumers: Consumers,
  endTrunk: string | undefined,
): Pick<FlowShape, "trunks" | "spared"> {
  const found = new Map<string, Leading>();
  const leadingOf = (id: string): Leading => {
    const known = found.get(id);
    if (known !== undefined) return known;
    found.set(id, NOWHERE);
    const leading = combine(id);
    found.set(id, leading);
    return leading;
  };
  const combine = (id: string): Leading => {
    const chains: (readonly string[])[] = [];
    const joins = new Set<string>();
    for (const consumer of consumers.get(id) ?? []) {
      const beyond = consumer.join ? NOWHERE : leadingOf(consumer.id);
      chains.push(chainOf(consumer.join ? consumer.id : beyond.trunk));
      for (const join of beyond.joins) joins.add(join);
    }
    if (id === flow.end && endTrunk !== undefined) chains.push(chainOf(endTrunk));
    const trunk = chains[0]?.find((join) => chains.every((chain) => chain.includes(join)));
    if (trunk !== undefined) return { trunk, joins: NOWHERE.joins };
    for (const [nearest] of chains) if (nearest !== undefined) joins.add(nearest);
    return joins.size === 0 ? NOWHERE : { trunk, joins };
  };
  /** A join, the one that it leads to, and so on. */
  const chainOf = (join: string | undefined): readonly string[] => {
    const chain: string[] = [];
    for (let next = join; next !== undefined; next = next === endTrunk ? undefined : leadingOf(next).trunk)
      chain.push(next);
    return chain;
  };
  const trunks = new Map<string, string>();
  const spared = new Map<string, ReadonlySet<string>>();
  for (const { id } of [...flow.joins, ...flow.jobs].toReversed()) {
    const { trunk, joins } = leadingOf(id);
    if (trunk !== undefined) trunks.set(id, trunk);
    else if (joins.size > 0) spared.set(id, joins);
  }
  return { trunks, spared };
}
