import type { DeviceId, Logger, TaskName } from "@tributary/core";
import type { Participation } from "@tributary/federation";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { ParticipationRecord } from "../ports/task-records.ts";
import { SerialQueue } from "./serial-queue.ts";

/** Devices whose last participation is held in memory; those whose is longest ago are forgotten first. */
const MAX_REMEMBERED = 65_536;

/** When each device last took part in a task: in memory to decide by, in the store for the next start. */
export class ParticipationLedger {
  readonly #store: Pick<MetadataStore, "participations">;
  readonly #task: TaskName;
  readonly #log: Logger;
  /** The oldest first. */
  readonly #last: Map<DeviceId, Participation>;
  readonly #writes = new SerialQueue();
  #unwritten: ParticipationRecord[] = [];

  private constructor(
    store: Pick<MetadataStore, "participations">,
    task: TaskName,
    log: Logger,
    last: Map<DeviceId, Participation>,
  ) {
    this.#store = store;
    this.#task = task;
    this.#log = log;
    this.#last = last;
  }

  static async open(
    store: Pick<MetadataStore, "participations">,
    task: TaskName,
    log: Logger,
  ): Promise<ParticipationLedger> {
    const records = (await store.participations.list(task, MAX_REMEMBERED)).toReversed();
    const last = new Map(records.map(({ deviceId, round, at }) => [deviceId, { round, at }]));
    return new ParticipationLedger(store, task, log, last);
  }

  last(device: DeviceId): Participation | undefined {
    return this.#last.get(device);
  }

  /** A device was asked. Written soon, with the others that are asked at the same time. */
  add(deviceId: DeviceId, { round, at }: Participation): void {
    this.#last.delete(deviceId);
    this.#last.set(deviceId, { round, at });
    if (this.#last.size > MAX_REMEMBERED) {
      const [oldest] = this.#last.keys();
      if (oldest !== undefined) this.#last.delete(oldest);
    }
    this.#unwritten.push({ task: this.#task, deviceId, round, at });
    if (this.#unwritten.length > 1) return;
    this.#writes
      .run(async () => {
        const records = this.#unwritten;
        this.#unwritten = [];
        await this.#store.participations.put(records);
      })
      .catch((error: unknown) =>
        this.#log.error("participations could not be written", { task: this.#task, error }),
      );
  }

  /** Everything is written. */
  written(): Promise<void> {
    return this.#writes.idle();
  }
}
