import { failure, type Clock, type SecureRandom } from "@tributary/core";
import type { MetadataRepositories, MetadataStore } from "../ports/metadata-store.ts";
import { digestOf, newSecret, sameText } from "./secrets.ts";

/** How long a setup link is good for. */
export const SETUP_LINK_MS = 24 * 3_600_000;
const SETTING = "setup-link";

export function invalidSetupCode(): Error {
  return failure(
    "identity/invalid-setup-code",
    "access: the setup link was used, is older than a day, or another start made a new one",
  );
}

interface StoredLink {
  readonly [field: string]: string | number;
  readonly digest: string;
  readonly expiresAt: number;
}

export interface SetupLinkOptions {
  readonly store: () => Pick<MetadataStore, "settings" | "accounts">;
  readonly clock: Pick<Clock, "now">;
  readonly random: Pick<SecureRandom, "bytes">;
}

/** The way in for the first admin: a link that is printed, and works once. */
export interface SetupLink {
  /** A new code, in the place of one before; null where there is an account already. */
  issue(): Promise<string | null>;
  /** Whether one waits. */
  isOpen(): Promise<boolean>;
  /** Takes the code, in the transaction that makes the account. @throws `identity/invalid-setup-code` */
  use(tx: Pick<MetadataRepositories, "settings" | "accounts">, code: string): Promise<void>;
}

export function createSetupLink({ store, clock, random }: SetupLinkOptions): SetupLink {
  const stored = async (from: Pick<MetadataRepositories, "settings" | "accounts">) => {
    const link = (await from.settings.get(SETTING)) as StoredLink | null | undefined;
    const isOpen =
      link !== undefined &&
      link !== null &&
      clock.now() < link.expiresAt &&
      (await from.accounts.count()) === 0;
    return isOpen ? link : undefined;
  };
  return {
    async issue() {
      const { accounts, settings } = store();
      if ((await accounts.count()) > 0) return null;
      const code = newSecret(random);
      const link: StoredLink = { digest: digestOf(code), expiresAt: clock.now() + SETUP_LINK_MS };
      await settings.set(SETTING, link);
      return code;
    },
    isOpen: async () => (await stored(store())) !== undefined,
    async use(tx, code) {
      const link = await stored(tx);
      // Compared also where there is none, so that both answers take as long.
      if (!sameText(digestOf(code), link?.digest ?? "") || link === undefined) throw invalidSetupCode();
      await tx.settings.set(SETTING, null);
    },
  };
}
