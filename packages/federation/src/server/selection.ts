import type { DeviceId } from "@tributary/core";

/** A device that is willing to train for a task. */
export interface CheckIn {
  readonly device: DeviceId;
  /** Labelled examples it has. */
  readonly examples: number;
}

/**
 * Who gets offers: first those that never had one, then those whose last one is the longest ago; among equals, first
 * come first served. Check-ins stand over rounds, and a turn is remembered over a lost connection, so that
 * reconnecting is no way to the front.
 */
export interface CheckInQueue {
  readonly size: number;
  /** Adds a device; one that is there keeps its place and updates its examples. */
  checkIn(device: DeviceId, examples: number): void;
  /** The connection ended or the device left. */
  remove(device: DeviceId): void;
  /** The device got an offer. */
  offered(device: DeviceId): void;
  has(device: DeviceId): boolean;
  get(device: DeviceId): CheckIn | undefined;
  /** In the order of their turn. */
  inOrder(): readonly CheckIn[];
}

/** Turns remembered of devices that are away; the oldest are forgotten first. */
const MAX_REMEMBERED = 65_536;

export function createCheckInQueue(): CheckInQueue {
  /** In order of arrival. */
  const examplesOf = new Map<DeviceId, number>();
  /** In order of the last turn. */
  const lastTurn = new Map<DeviceId, number>();
  let turns = 0;
  return {
    get size() {
      return examplesOf.size;
    },
    checkIn: (device, examples) => void examplesOf.set(device, examples),
    remove: (device) => void examplesOf.delete(device),
    offered(device) {
      lastTurn.delete(device);
      lastTurn.set(device, ++turns);
      if (lastTurn.size <= MAX_REMEMBERED) return;
      const [oldest] = lastTurn.keys();
      if (oldest !== undefined) lastTurn.delete(oldest);
    },
    has: (device) => examplesOf.has(device),
    get(device) {
      const examples = examplesOf.get(device);
      return examples === undefined ? undefined : { device, examples };
    },
    inOrder: () =>
      Array.from(examplesOf, ([device, examples]) => ({ device, examples })).toSorted(
        (a, b) => (lastTurn.get(a.device) ?? 0) - (lastTurn.get(b.device) ?? 0),
      ),
  };
}
