/** What each tab of a site needs of the store they share, told by Web Locks: those of a tab that died are gone with it. */
import { isDigest, type Digest } from "@tributary/core";
import type { BlobHolds } from "../updater/blob-holds.ts";

/** @param scope - name of the store */
export function holdBlobs(locks: Pick<LockManager, "request" | "query">, scope: string): BlobHolds {
  const prefix = `${scope} holds `;
  const byName = new Map<string, readonly Digest[]>();
  const releases = new Map<Digest, () => void>();

  const acquire = (digest: Digest): void => {
    const held = new Promise<void>((resolve) => releases.set(digest, resolve));
    // Nobody asks for it alone, so that it is granted at once.
    locks.request(prefix + digest, { mode: "shared" }, () => held).catch(() => undefined);
  };

  return {
    hold(name, digests) {
      byName.set(name, digests);
      const wanted = new Set([...byName.values()].flat());
      for (const digest of wanted) if (!releases.has(digest)) acquire(digest);
      for (const [digest, release] of releases) {
        if (wanted.has(digest)) continue;
        releases.delete(digest);
        release();
      }
    },
    async held() {
      const { held = [], pending = [] } = await locks.query();
      const names = [...held, ...pending].map(({ name }) => name ?? "");
      return new Set(
        names
          .filter((name) => name.startsWith(prefix))
          .map((name) => name.slice(prefix.length))
          .filter(isDigest),
      );
    },
  };
}
