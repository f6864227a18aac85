import type { SpendableVector } from "../encoding/spendable-vector.ts";
import type {
  Advertisement,
  CohortList,
  KeyList,
  MaskedInput,
  ShareBundle,
  ShareInbox,
  SignatureList,
  Survivors,
  SurvivorSignature,
  UnmaskShares,
} from "../messages.ts";
import { commitmentOf } from "../transcript.ts";
import { floorOf, type SecAggClientOptions } from "./options.ts";
import { eraseStage, type ClientStage, type ClientStageName } from "./stages.ts";
import * as steps from "./steps.ts";

/**
 * One member's side of one session. The steps go in order, each once; whatever else is called, or any check that
 * fails, ends the session and overwrites its secrets. It sends nothing: each step takes the server's message and
 * gives this member's.
 */
export class SecAggClient {
  /** For *ready*: the hash of the nonce that `advertise` reveals. */
  readonly commitment: Uint8Array<ArrayBuffer>;
  readonly #options: SecAggClientOptions;
  #stage: ClientStage | { readonly type: "working" };

  constructor(options: SecAggClientOptions) {
    floorOf(options);
    this.#options = options;
    const nonce = options.random.bytes(32);
    this.commitment = commitmentOf(nonce);
    this.#stage = { type: "committed", nonce };
  }

  get stage(): ClientStageName {
    return this.#stage.type;
  }

  /** @throws TributaryError with a code of `secagg/*`; so do the other steps. */
  advertise(list: CohortList): Promise<Advertisement> {
    return this.#step("committed", "advertise", (stage) => steps.advertise(this.#options, stage, list));
  }

  shareKeys(keys: KeyList): Promise<ShareBundle> {
    return this.#step("advertised", "shareKeys", (stage) => steps.shareKeys(this.#options, stage, keys));
  }

  /** Spends the update, unless a check fails before anything of it was masked. */
  maskInput(inbox: ShareInbox, update: SpendableVector): Promise<MaskedInput> {
    return this.#step("shared", "maskInput", (stage) => steps.maskInput(this.#options, stage, inbox, update));
  }

  signSurvivors(survivors: Survivors): Promise<SurvivorSignature> {
    return this.#step("masked", "signSurvivors", (stage) =>
      steps.signSurvivors(this.#options, stage, survivors),
    );
  }

  unmask(signatures: SignatureList): Promise<UnmaskShares> {
    return this.#step("signed", "unmask", (stage) => steps.unmask(stage, signatures));
  }

  /** Overwrites all secrets; idempotent. */
  close(): void {
    if (this.#stage.type === "done") return;
    if (this.#stage.type !== "working") eraseStage(this.#stage);
    this.#stage = { type: "failed" };
  }

  async #step<T extends ClientStage["type"], Message>(
    expected: T,
    name: string,
    run: (
      stage: Extract<ClientStage, { type: T }>,
    ) => Promise<{ readonly next: ClientStage; readonly message: Message }>,
  ): Promise<Message> {
    const stage = this.#stage;
    if (!isStage(stage, expected)) {
      this.close();
      throw steps.outOfOrder(name, stage.type);
    }
    const working = { type: "working" } as const;
    this.#stage = working;
    try {
      const { next, message } = await run(stage);
      // Closed, or called again, while this step was under way.
      if (this.#stage !== working) {
        eraseStage(next);
        throw steps.outOfOrder(name, this.#stage.type);
      }
      this.#stage = next;
      if (next.type === "done") eraseStage(stage);
      return message;
    } catch (error) {
      eraseStage(stage);
      this.#stage = { type: "failed" };
      throw error;
    }
  }
}

function isStage<T extends ClientStage["type"]>(
  stage: ClientStage | { readonly type: "working" },
  expected: T,
): stage is Extract<ClientStage, { type: T }> {
  return stage.type === expected;
}
