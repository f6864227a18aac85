import type { Digest } from "@tributary/core";

/** Blobs that the devices which share a store, the tabs of a site, need: no clean-up of another one takes them. */
export interface BlobHolds {
  /** Replaces what is held under a name, such as a model's. */
  hold(name: string, digests: readonly Digest[]): void;
  /** What any of the devices holds now. */
  held(): Promise<ReadonlySet<Digest>>;
}
