import type { WithdrawnVersions } from "@tributary/protocol";

/** What signed documents say of a model beside its channel's manifest. */
export interface Standing {
  /** While a rollout goes on. */
  readonly rollout?: RolloutStanding;
  /** Versions that no device runs any more. */
  readonly withdrawn: WithdrawnVersions["versions"];
  /** Why the rollout's document cannot be followed: then it is as if there were none. */
  readonly problem?: unknown;
}

/** Where this device stands in a rollout. */
export interface RolloutStanding {
  readonly rollout: string;
  /** The version of all who are in none of its arms. */
  readonly control: number;
  /** The device's; undefined: it runs what the channel points to. */
  readonly arm?: string;
}
