import { cp } from "node:fs/promises";
import type { RoundId } from "@tributary/core";
import { expect, vi } from "vitest";
import { temporaryFolder } from "../temporary-folder.ts";
import { RoundDevice, startRoom, type Room } from "./rounds-room.ts";

/** Coordinators that begin with what is left of another one; all are stopped and removed by `dispose`. */
export function crashes(): {
  /** What `kill -9` leaves on disk at this moment, as a folder of its own. */
  readonly imageOf: (folder: string) => Promise<string>;
  readonly restart: (image: string) => Promise<Room>;
  readonly dispose: () => Promise<void>;
} {
  const disposals: (() => Promise<void>)[] = [];
  return {
    async imageOf(folder) {
      const image = await temporaryFolder();
      disposals.push(() => image.remove());
      await cp(folder, image.path, { recursive: true });
      return image.path;
    },
    async restart(image) {
      const room = await startRoom(image);
      disposals.push(() => room.stop());
      return room;
    },
    async dispose() {
      for (const end of disposals.splice(0).toReversed()) await end();
    },
  };
}

/** The same device with the coordinator that came after. */
export async function back(room: Room, device: RoundDevice): Promise<RoundDevice> {
  const again = await RoundDevice.connect(room.url, device.identity);
  again.checkIn();
  return again;
}

/** The round's row when it is over. */
export async function ended(room: Room, id: RoundId) {
  return vi.waitFor(
    async () => {
      const round = await room.store.rounds.get(id);
      expect(round?.endedAt).toBeTypeOf("number");
      return round!;
    },
    { timeout: 15_000, interval: 20 },
  );
}
