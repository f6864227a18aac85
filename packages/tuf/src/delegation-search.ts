import { failure } from "@tributary/core";
import type { TargetFile, TargetsMetadata } from "./metadata.ts";
import { isGiven } from "./path-pattern.ts";

/** A role whose targets were verified. */
export interface SearchedRole {
  readonly name: string;
  readonly targets: TargetsMetadata;
}

interface Step {
  readonly name: string;
  readonly delegator: SearchedRole | undefined;
}

export interface DelegationSearch {
  /** The top-level targets. */
  readonly top: TargetsMetadata;
  /** Verified targets of a role that another one delegates to. */
  readonly load: (name: string, delegator: SearchedRole) => Promise<TargetsMetadata>;
  readonly maxDelegations: number;
}

/**
 * Spec 5.6.7: the first role, in preorder and in the delegations' order of priority, that has the target.
 *
 * @throws TributaryError `tuf/too-large` where more roles would have to be visited than allowed, and what `load` throws
 */
export async function searchTarget(search: DelegationSearch, path: string): Promise<TargetFile | undefined> {
  for await (const targets of askedRoles(search, path)) {
    const found = targets.targets.get(path);
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * All that those roles name which would be asked for a path that none of them has, until it is enough. Throws as
 * {@linkcode searchTarget} does.
 */
export async function namesBeside(
  search: DelegationSearch,
  path: string,
  isEnough?: (names: readonly string[]) => boolean,
): Promise<string[]> {
  const names: string[] = [];
  for await (const { targets } of askedRoles(search, path)) {
    names.push(...targets.keys());
    if (isEnough?.(names) === true) break;
  }
  return names;
}

async function* askedRoles(
  { top, load, maxDelegations }: DelegationSearch,
  path: string,
): AsyncGenerator<TargetsMetadata, void> {
  const visited = new Set<string>();
  let steps: Step[] = [{ name: "targets", delegator: undefined }];
  for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
    const { name, delegator } = step;
    // 5.6.7.1: a cycle, or a second way to a role.
    if (visited.has(name)) continue;
    if (visited.size > maxDelegations) {
      throw failure(
        "tuf/too-large",
        `tuf: ${path}: expected at most ${maxDelegations} delegated roles on the way (spec 5.6.7.1)`,
        { detail: { file: path.slice(0, 200), step: "5.6.7.1", maxBytes: maxDelegations } },
      );
    }
    visited.add(name);
    const targets = delegator === undefined ? top : await load(name, delegator);
    yield targets;
    const { roles } = targets.delegations;
    const fits = await Promise.all(roles.map((role) => isGiven(role, path)));
    const given = roles.filter((_, index) => fits[index]);
    // 5.6.7.2.1: nothing beyond a terminating delegation is asked, whoever has it below.
    const end = given.findIndex(({ terminating }) => terminating);
    if (end >= 0) steps = [];
    const next = end >= 0 ? given.slice(0, end + 1) : given;
    steps.push(...next.toReversed().map((role) => ({ name: role.name, delegator: { name, targets } })));
  }
}
