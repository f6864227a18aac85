import type { DeviceId, Env, ModelName, ModelVersion, Timer } from "@tributary/core";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { DeviceNews } from "../ports/device-records.ts";

export const HOUR_MS = 3_600_000;
/** What devices tell is written at most this often: a fleet that connects at once is not so many transactions. */
export const WRITE_MS = 1_000;
/** How often it is noted which versions run on how many devices. */
export const NOTE_MS = 300_000;
/** When somebody looks, it is noted anew if it is older than this. */
const FRESH_MS = 10_000;
/** Devices of one transaction; in between others have their turn. */
const CHUNK = 200;

export interface FleetOptions {
  readonly env: Pick<Env, "clock" | "log">;
  readonly store: Pick<MetadataStore, "fleet">;
  /** Devices with a session now. */
  readonly connected: () => readonly DeviceId[];
}

/** A version on a device, as it tells it. */
export interface ToldVersion {
  readonly model: ModelName;
  readonly version: ModelVersion;
  readonly engine?: string;
}

/** What is known of the fleet: who was there, and what runs on which device, hour by hour. */
export interface Fleet {
  checkedIn(device: DeviceId, software: string): void;
  left(device: DeviceId): void;
  runs(device: DeviceId, version: ToldVersion): void;
  /** Resolves when what was heard so far can be read, and the present hour is noted. */
  freshen(): Promise<void>;
  close(): Promise<void>;
}

/** What was heard of one device since it was written last. */
interface Heard {
  at: number;
  checkIns: number;
  software: string | undefined;
  readonly versions: Map<ModelName, ToldVersion>;
}

export function createFleet(options: FleetOptions): Fleet {
  return new HeardFleet(options);
}

class HeardFleet implements Fleet {
  readonly #options: FleetOptions;
  #heard = new Map<DeviceId, Heard>();
  #writing: Promise<void> = Promise.resolve();
  #writeTimer: Timer | undefined;
  #noteTimer: Timer;
  #notedAtMs = -Infinity;
  /** In which connected devices were counted as seen. */
  #hour: number;
  #closed = false;

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#hour = this.#hourNow();
    this.#noteTimer = this.#noteLater();
  }

  checkedIn(device: DeviceId, software: string): void {
    const heard = this.#of(device);
    heard.checkIns += 1;
    heard.software = software;
  }

  left(device: DeviceId): void {
    this.#of(device);
  }

  runs(device: DeviceId, told: ToldVersion): void {
    const { versions } = this.#of(device);
    const { model, version, engine = sameVersion(versions.get(told.model), told)?.engine } = told;
    versions.set(model, { model, version, ...(engine === undefined ? {} : { engine }) });
  }

  async freshen(): Promise<void> {
    await this.#write();
    if (this.#options.env.clock.monotonicMs() - this.#notedAtMs >= FRESH_MS) await this.#note();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#noteTimer.cancel();
    await this.#write();
  }

  #of(device: DeviceId): Heard {
    const at = this.#options.env.clock.now();
    const known = this.#heard.get(device);
    if (known !== undefined) return Object.assign(known, { at });
    const heard = { at, checkIns: 0, software: undefined, versions: new Map<ModelName, ToldVersion>() };
    this.#heard.set(device, heard);
    if (!this.#closed) {
      this.#writeTimer ??= this.#options.env.clock.schedule(WRITE_MS, () => {
        this.#write().catch((error: unknown) => this.#failed(error));
      });
    }
    return heard;
  }

  /** Writes what was heard, one time after the other. */
  #write(): Promise<void> {
    this.#writeTimer?.cancel();
    this.#writeTimer = undefined;
    const news = [...this.#heard].map(([deviceId, heard]) => newsOf(deviceId, heard));
    this.#heard = new Map();
    // A chunk that cannot be written is lost: it is statistics, and the next check-in says it again.
    this.#writing = this.#writing.catch(() => {}).then(() => this.#writeAll(news));
    return this.#writing;
  }

  async #writeAll(news: readonly DeviceNews[]): Promise<void> {
    for (let start = 0; start < news.length; start += CHUNK) {
      await this.#options.store.fleet.record(news.slice(start, start + CHUNK));
      if (start + CHUNK < news.length) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async #note(): Promise<void> {
    const hour = this.#hourNow();
    if (hour !== this.#hour) {
      // Whoever stays connected says nothing anew, and is there all the same.
      this.#hour = hour;
      for (const device of this.#options.connected()) this.#of(device);
      await this.#write();
    }
    await this.#options.store.fleet.noteAdoption(hour);
    this.#notedAtMs = this.#options.env.clock.monotonicMs();
  }

  #noteLater(): Timer {
    return this.#options.env.clock.schedule(NOTE_MS, () => {
      this.#write()
        .then(() => this.#note())
        .catch((error: unknown) => this.#failed(error))
        .finally(() => {
          if (!this.#closed) this.#noteTimer = this.#noteLater();
        });
    });
  }

  #hourNow(): number {
    return Math.floor(this.#options.env.clock.now() / HOUR_MS);
  }

  #failed(error: unknown): void {
    if (!this.#closed)
      this.#options.env.log.error("fleet: what devices told could not be written", { error });
  }
}

function sameVersion(before: ToldVersion | undefined, { version }: ToldVersion): ToldVersion | undefined {
  return before?.version === version ? before : undefined;
}

function newsOf(deviceId: DeviceId, { at, checkIns, software, versions }: Heard): DeviceNews {
  return {
    deviceId,
    at,
    checkIns,
    ...(software === undefined ? {} : { software }),
    versions: [...versions.values()],
  };
}
