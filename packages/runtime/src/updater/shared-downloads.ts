import type { Digest } from "@tributary/core";

/** Downloads of devices that share a store, the tabs of a site: one of them fetches a blob, and all have it. */
export interface SharedDownloads {
  /**
   * Runs `work` when no other device downloads this blob, and `onProgress` meanwhile with what that one has received. When a
   * device dies the next one's turn comes.
   *
   * @param work - gets whether there was a wait, after which the blob may be there, and tells the others of its progress
   */
  inTurn<T>(
    digest: Digest,
    options: {
      readonly signal?: AbortSignal | undefined;
      readonly onProgress?: ((receivedBytes: number) => void) | undefined;
    },
    work: (waited: boolean, report: (receivedBytes: number) => void) => Promise<T>,
  ): Promise<T>;
}
