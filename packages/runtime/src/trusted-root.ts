import { failure, type Logger } from "@tributary/core";
import type { MetadataStore } from "./store/device-store.ts";
import type { ReleaseHttp } from "./transport/release-http.ts";

const MAX_ROOT_BYTES = 512 * 1024;

/**
 * The root a device starts from: the pinned one, or with trust "first-use" the one stored at the first contact.
 * Nothing protects that first contact, which is why it is spelled out by the app and said in the log.
 */
export function trustedRoot(options: {
  readonly pinned: Uint8Array | undefined;
  readonly store: MetadataStore;
  readonly http: Pick<ReleaseHttp, "metadata">;
  readonly log: Logger;
}): () => Promise<Uint8Array> {
  const { pinned, store, http, log } = options;
  return async () => {
    if (pinned !== undefined) return pinned;
    const stored = await store.read("root");
    if (stored !== undefined) return stored;
    log.warn("trust on first use: the coordinator's root is believed unseen; pin a root in production");
    const root = await http.metadata("1.root.json", { maxBytes: MAX_ROOT_BYTES });
    if (root === undefined) {
      throw failure("tuf/missing-metadata", "trust: the coordinator serves no 1.root.json");
    }
    await store.write("root", root);
    return root;
  };
}
