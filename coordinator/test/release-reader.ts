import { systemClock } from "@tributary/core";
import { createTufClient, verifyTarget, type TufClient } from "@tributary/tuf";
import type { RunningCoordinator } from "./running-coordinator.ts";

/** What a coordinator serves, read and verified as devices do. */
export interface ReleaseReader {
  readonly client: TufClient;
  /** Downloads a target by its digest and holds it to the signed metadata. */
  download(path: string): Promise<Uint8Array<ArrayBuffer>>;
}

export function releaseReader(coordinator: RunningCoordinator): ReleaseReader {
  const stored = new Map<string, Uint8Array>();
  const client = createTufClient({
    trustedRoot: coordinator.tufRoot,
    clock: systemClock,
    store: {
      read: async (role) => stored.get(role),
      write: async (role, bytes) => void stored.set(role, bytes),
      delete: async (role) => void stored.delete(role),
    },
    fetcher: {
      async metadata(file) {
        const response = await coordinator.request(`/v1/tuf/${file}`);
        if (response.status === 404) return undefined;
        return response.bytes();
      },
    },
  });
  return {
    client,
    async download(path) {
      const file = await client.find(path);
      if (file === undefined) throw new Error(`no target ${path}`);
      const response = await coordinator.request(`/v1/blobs/${file.sha256}`);
      if (response.status !== 200) throw new Error(`${path}: HTTP ${response.status}`);
      const bytes = await response.bytes();
      verifyTarget(file, bytes);
      return bytes;
    },
  };
}
