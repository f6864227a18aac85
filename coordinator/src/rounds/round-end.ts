import { failure, type DeviceId } from "@tributary/core";
import type { EvaluationResult } from "@tributary/engine/evaluation";
import { roundEnded, type RoundState } from "@tributary/federation";
import type { MetadataRepositories } from "../ports/metadata-store.ts";
import type { NewEvent } from "../ports/event-records.ts";
import type { RoundRecord } from "../ports/round-records.ts";
import type { RoundAccount } from "./round-account.ts";
import type { FinalEntries } from "./round-journal.ts";
import type { RoundMachine } from "./round-machine.ts";
import {
  storeAbandoned,
  storeOutcome,
  type CompletedRound,
  type LastRow,
  type OutcomeInput,
} from "./round-outcome.ts";
import type { RoundRunOptions } from "./round-run-options.ts";
import type { RoundStore } from "./round-store.ts";
import { recordVerdict } from "./secure/suspicions.ts";

/** The round that ends. */
export interface EndingRound extends Pick<CompletedRound, "updates" | "secure"> {
  readonly machine: RoundMachine;
  readonly stored: RoundStore;
  readonly account: RoundAccount;
  /** Its row in this state. */
  readonly record: (state: RoundState) => RoundRecord;
  /** Its sum is of no use. */
  readonly failed: (error: unknown) => void;
}

/** Stores a round's last row together with what follows from its end. */
export class RoundEnd {
  readonly #options: RoundRunOptions;
  readonly #round: EndingRound;
  /** The last entries of the journal, on their way into the store with what the round made. */
  #final: FinalEntries | undefined;
  /** Whose secure sum it is, once there is one. */
  #contributors: readonly DeviceId[] = [];

  constructor(options: RoundRunOptions, round: EndingRound) {
    this.#options = options;
    this.#round = round;
  }

  /** Everything is in: stores what the sum makes, and lets the round end with it. */
  async commit(contributors: readonly DeviceId[]): Promise<void> {
    const { updates, secure, machine, account, failed } = this.#round;
    this.#contributors = contributors;
    try {
      const last = await storeOutcome(this.#options, {
        updates,
        secure,
        reported: () => machine.state.counts.reported,
        ended: () => roundEnded(machine.state),
        measured: (examples) => (account.measuredExamples = examples),
        aggregated: (result) => this.#aggregated(result),
        lastRow: (input) => this.#lastRow(input),
        verdict: (tx) => this.#verdict(tx, true),
      });
      if (last === undefined) return;
      this.#final?.settle(true);
      machine.release(last);
    } catch (error) {
      this.#final?.settle(false);
      machine.release();
      failed(error);
    }
  }

  /** Stores the last row of a round that made nothing. */
  abandoned(record: RoundRecord): Promise<void> {
    const { task } = this.#options;
    return this.#round.stored.abandoned(record, task, async (tx) => {
      await storeAbandoned(tx, this.#options, record);
      return record.reason === "round/secure-sum-refused" ? this.#verdict(tx, false) : [];
    });
  }

  /** The sum is known and what it makes is measured; the transaction begins. */
  async #aggregated(result: Pick<EvaluationResult, "loss" | "accuracy"> | undefined): Promise<void> {
    const { account, machine, stored } = this.#round;
    account.evaluation = result;
    if (!roundEnded(machine.state))
      machine.give({ type: "aggregated", now: this.#options.services.steadyNow() });
    // Rows of earlier phases must not come after the last one.
    await stored.idle();
  }

  /** The row and the rest of the journal as they will be after the input; until then inputs are held. */
  #lastRow(input: OutcomeInput): LastRow {
    const { machine, stored } = this.#round;
    if (roundEnded(machine.state))
      throw failure("round/aggregation-failed", "rounds: abandoned before its commit");
    const final = stored.final(input);
    this.#final = final;
    return { round: this.#round.record(machine.hold(input)), journal: final.entries };
  }

  /** What the sum says of the members of a secure cohort. */
  async #verdict(tx: MetadataRepositories, held: boolean): Promise<readonly NewEvent[]> {
    const { config, services } = this.#options;
    const { env } = services;
    const { task, roundId } = config;
    const contributors = this.#contributors;
    const events = await recordVerdict(
      tx,
      { task, roundId, at: env.clock.now(), held, contributors },
      env.random,
    );
    for (const { data } of events) env.log.warn("device quarantined", { roundId, suspicion: data });
    return events;
  }
}
