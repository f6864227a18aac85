import type { Advertisement, SharePair } from "../messages.ts";
import type { Secret } from "../primitives/secret.ts";
import type { ShareCipher } from "../primitives/share-cipher.ts";
import type { AgreementKey } from "../primitives/x25519.ts";
import type { Cohort } from "./check-cohort.ts";
import type { HeldShares } from "./check-inbox.ts";
import type { Session } from "./check-keys.ts";
import type { CheckedSurvivors } from "./check-survivors.ts";

/** Where a member stands, with exactly the data of that stage. */
export type ClientStage =
  | { readonly type: "committed"; readonly nonce: Uint8Array }
  | {
      readonly type: "advertised";
      readonly cohort: Cohort;
      readonly own: Advertisement;
      readonly encryptionKey: AgreementKey;
      readonly maskKey: AgreementKey;
      readonly maskSecret: Secret;
    }
  | {
      readonly type: "shared";
      readonly session: Session;
      readonly ciphers: ReadonlyMap<number, ShareCipher>;
      readonly maskKey: AgreementKey;
      readonly seed: Secret;
      /** Complete graph: this member's share of its own secrets. */
      readonly ownPair: SharePair | undefined;
    }
  | { readonly type: "masked"; readonly session: Session; readonly held: HeldShares }
  | {
      readonly type: "signed";
      readonly session: Session;
      readonly held: HeldShares;
      readonly checked: CheckedSurvivors;
      readonly message: Uint8Array;
    }
  | { readonly type: "done" }
  | { readonly type: "failed" };

export type ClientStageName = ClientStage["type"] | "working";

/** Overwrites the secrets of a stage. */
export function eraseStage(stage: ClientStage): void {
  switch (stage.type) {
    case "committed":
      stage.nonce.fill(0);
      return;
    case "advertised":
      return stage.maskSecret.erase();
    case "shared":
      stage.seed.erase();
      if (stage.ownPair !== undefined) erasePair(stage.ownPair);
      return;
    case "masked":
    case "signed":
      for (const pair of stage.held.pairs.values()) erasePair(pair);
      return;
    case "done":
    case "failed":
      return;
    default: {
      const never: never = stage;
      throw new TypeError(`secagg: no such stage ${String(never)}`);
    }
  }
}

function erasePair({ keyShare, seedShare }: SharePair): void {
  keyShare.fill(0);
  seedShare.fill(0);
}
