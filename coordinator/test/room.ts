import { join } from "node:path";
import { silentLogger, systemRandom } from "@tributary/core";
import { createVirtualClock } from "@tributary/core/testing";
import { openSqlMetadataStore } from "../src/adapters/sql/sql-metadata-store.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** What a room is made of, on a real database in a folder of its own. `restart` opens the same folder again. */
export async function openRoom() {
  const folder = await temporaryFolder();
  const clock = createVirtualClock({ startMs: Date.UTC(2026, 0, 1) });
  const path = join(folder.path, "tributary.db");
  const env = { clock, random: systemRandom, log: silentLogger };
  let store = await openSqlMetadataStore({ path });
  return {
    clock,
    env,
    config: { dataDir: folder.path, issuer: undefined, metadataDays: 7 },
    logGrew: () => {},
    keysFolder: join(folder.path, "keys"),
    get store() {
      return store;
    },
    async restart(): Promise<void> {
      await store.close();
      store = await openSqlMetadataStore({ path });
    },
    async dispose(): Promise<void> {
      await store.close();
      await folder.remove();
    },
  };
}

export type Room = Awaited<ReturnType<typeof openRoom>>;
