import type { DeviceId } from "@tributary/core";

const SHARDS = 64;

/**
 * An immutable map by device id: `set` copies one shard of 64, so a step over ten thousand devices stays
 * cheap while every earlier state remains what it was.
 */
export class DeviceTable<Entry> {
  readonly #shards: readonly (ReadonlyMap<DeviceId, Entry> | undefined)[];
  readonly size: number;

  private constructor(shards: readonly (ReadonlyMap<DeviceId, Entry> | undefined)[], size: number) {
    this.#shards = shards;
    this.size = size;
  }

  static empty<Entry>(): DeviceTable<Entry> {
    return new DeviceTable<Entry>(
      Array.from({ length: SHARDS }, () => undefined),
      0,
    );
  }

  get(device: DeviceId): Entry | undefined {
    return this.#shards[shardOf(device)]?.get(device);
  }

  set(device: DeviceId, entry: Entry): DeviceTable<Entry> {
    const index = shardOf(device);
    const shard = new Map(this.#shards[index]);
    const size = shard.has(device) ? this.size : this.size + 1;
    shard.set(device, entry);
    return new DeviceTable(this.#shards.with(index, shard), size);
  }

  delete(device: DeviceId): DeviceTable<Entry> {
    const index = shardOf(device);
    const old = this.#shards[index];
    if (old === undefined || !old.has(device)) return this;
    const shard = new Map(old);
    shard.delete(device);
    return new DeviceTable(this.#shards.with(index, shard), this.size - 1);
  }

  /** By shard, then by insertion: the same for the same history. */
  *[Symbol.iterator](): Iterator<readonly [DeviceId, Entry]> {
    for (const shard of this.#shards) if (shard !== undefined) yield* shard;
  }
}

/** The id is a hash, so its first byte spreads evenly. */
function shardOf(device: DeviceId): number {
  return Number.parseInt(device.slice(0, 2), 16) % SHARDS;
}
