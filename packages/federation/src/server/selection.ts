import type { DeviceId } from "@tributary/core";

/** A device that is willing to train for a task. */
export interface CheckIn {
  readonly device: DeviceId;
  /** Labelled examples it has. */
  readonly examples: number;
}

/**
 * Who gets offers: those that waited longest. Check-ins stand over rounds; a device that got an offer goes to the
 * end, so that every device of a population has its turn.
 */
export interface CheckInQueue {
  readonly size: number;
  /** Adds a device at the end; one that is there keeps its place and updates its examples. */
  checkIn(device: DeviceId, examples: number): void;
  /** The connection ended or the device left. */
  remove(device: DeviceId): void;
  /** The device got an offer. */
  offered(device: DeviceId): void;
  has(device: DeviceId): boolean;
  /** In the order of their turn. */
  inOrder(): readonly CheckIn[];
}

export function createCheckInQueue(): CheckInQueue {
  const examplesOf = new Map<DeviceId, number>();
  return {
    get size() {
      return examplesOf.size;
    },
    checkIn: (device, examples) => void examplesOf.set(device, examples),
    remove: (device) => void examplesOf.delete(device),
    offered(device) {
      const examples = examplesOf.get(device);
      if (examples === undefined) return;
      examplesOf.delete(device);
      examplesOf.set(device, examples);
    },
    has: (device) => examplesOf.has(device),
    inOrder: () => [...examplesOf].map(([device, examples]) => ({ device, examples })),
  };
}
