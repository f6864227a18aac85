import { failure, type DeviceId, type RoundId, type TaskName, type TributaryError } from "@tributary/core";
import type { RoundInput } from "@tributary/federation";
import { roundAbandoned } from "../audit/records.ts";
import type { MetadataRepositories } from "../ports/metadata-store.ts";
import type { NewEvent } from "../ports/event-records.ts";
import type { JsonValue } from "../ports/json.ts";
import type { RoundRecord } from "../ports/round-records.ts";
import type { TaskRecord } from "../ports/task-records.ts";
import { roundEvent, roundView } from "../registry/views.ts";
import { abandonedEvents, publishEvents } from "./commit-round.ts";
import { RoundJournal, type FinalEntries } from "./round-journal.ts";
import type { RoundServices } from "./round-services.ts";
import { recordRefusal } from "./secure/suspicions.ts";
import { SerialQueue } from "./serial-queue.ts";

/** What is stored of a round, and when: its row, its journal and the events that tell of it, in the order they happened. */
export class RoundStore {
  readonly #services: RoundServices;
  readonly #roundId: RoundId;
  readonly #journal: RoundJournal;
  readonly #failed: (error: unknown) => void;
  readonly #writes = new SerialQueue();

  /**
   * @param failed - told once when the journal cannot be stored any more: the round has to end
   * @param written - how many inputs of an earlier process are stored
   */
  constructor(services: RoundServices, roundId: RoundId, failed: (error: unknown) => void, written = 0) {
    this.#services = services;
    this.#roundId = roundId;
    this.#failed = failed;
    this.#journal = new RoundJournal(roundId, written);
  }

  /** Takes the round's number. */
  async insert(record: RoundRecord): Promise<void> {
    const { store, env } = this.#services;
    const events = await store.transaction(async (tx) => {
      await tx.rounds.insert(record);
      return tx.events.append([roundEvent(record)], env.clock.now());
    });
    await publishEvents(this.#services, events);
  }

  /** Has an input stored, soon. */
  note(input: RoundInput): void {
    this.#journal.add(input);
    if (this.#journal.lost) return;
    this.#services.journals.write(this.#journal, (error) => this.#lose(error));
  }

  /** Runs what follows from the inputs so far, once they are stored. */
  afterwards(run: () => void): void {
    this.#journal.whenWritten(run);
  }

  /** Rejects when the inputs so far could not be stored. */
  written(): Promise<void> {
    return this.#journal.written();
  }

  /** The rest of the journal and its last input, for a transaction of the caller's. */
  final(input: RoundInput): FinalEntries {
    return this.#journal.final(input);
  }

  /** When everything that was queued so far is stored. */
  idle(): Promise<void> {
    return this.#writes.idle();
  }

  /** Writes the row and the journal so far. A failure is not the round's end: its commit will tell. */
  update(record: RoundRecord): void {
    const { env } = this.#services;
    this.#writes
      .run(() => this.#write(record, async () => [roundEvent(record)]))
      .catch((error: unknown) =>
        env.log.error("round could not be stored", { roundId: record.id, phase: record.phase, error }),
      );
  }

  /** Writes the last row of a round that made no version. */
  abandoned(
    record: RoundRecord,
    task: TaskRecord,
    verdict: (tx: MetadataRepositories) => Promise<readonly NewEvent[]>,
  ): Promise<void> {
    return this.#writes.run(async () => {
      await this.#write(record, async (tx) => {
        await tx.audit.append([roundAbandoned(record)], this.#services.env.clock.now());
        const also = await verdict(tx);
        return [...(await abandonedEvents(tx, task, record)), ...also];
      });
      this.#services.env.log.warn("round abandoned", { roundId: record.id, reason: record.reason });
    });
  }

  /** Shows counts that changed: stored, but no event of the log. */
  show(current: () => RoundRecord | undefined): void {
    const { bus, env, store } = this.#services;
    this.#writes
      .run(async () => {
        const record = current();
        if (record === undefined) return;
        await store.rounds.update(record);
        const data = roundView(record) as unknown as JsonValue;
        await bus.publish("event", { id: null, type: "round", data, at: env.clock.now() });
      })
      .catch((error: unknown) => env.log.error("round could not be shown", { error }));
  }

  /** @param task - whose rounds the device is suspected in, where the update was refused for what is in it */
  refusal(device: DeviceId, { code, detail }: TributaryError, task: TaskName | null): void {
    const { env, store } = this.#services;
    const roundId = this.#roundId;
    const at = env.clock.now();
    this.#writes
      .run(async () => {
        const events = await store.transaction(async (tx) => {
          await tx.refusals.add({ deviceId: device, roundId, code, detail, at });
          if (task === null) return [];
          return tx.events.append(
            await recordRefusal(tx, { task, deviceId: device, roundId, at }, env.random),
            at,
          );
        });
        for (const { data } of events) env.log.warn("device quarantined", { roundId, suspicion: data });
        await publishEvents(this.#services, events);
      })
      .catch((error: unknown) => env.log.error("refusal could not be noted", { device, roundId, error }));
  }

  async #write(
    record: RoundRecord,
    eventsOf: (tx: MetadataRepositories) => Promise<readonly NewEvent[]>,
  ): Promise<void> {
    const { store, env } = this.#services;
    const at = env.clock.now();
    const journal = this.#journal.take();
    let events;
    try {
      events = await store.transaction(async (tx) => {
        await tx.rounds.update(record);
        await tx.journal.append(journal);
        return tx.events.append(await eventsOf(tx), at);
      });
    } catch (error) {
      this.#journal.putBack(journal);
      if (journal.length > 0) this.#lose(error);
      throw error;
    }
    this.#journal.stored(journal);
    await publishEvents(this.#services, events);
  }

  #lose(error: unknown): void {
    if (this.#journal.lost) return;
    this.#journal.lose(error);
    this.#failed(error);
  }
}

/** What ends the uploads and steps of a round that is over. */
export function roundOver(roundId: RoundId): TributaryError {
  return failure("round/deadline-passed", `rounds: ${roundId} is over`);
}
