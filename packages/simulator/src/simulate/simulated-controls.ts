import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sha256, silentLogger } from "@tributary/core";
import type { Offer, Plan } from "@tributary/protocol";
import { openControlVariates, type ControlVariates } from "@tributary/runtime/internal-node";

/** What simulated devices keep of SCAFFOLD from round to round: on disk, a file for each that ever took part. */
export interface SimulatedControls {
  /** A device's half of a round. @param served - the server's control variate, as the offer names it */
  open(
    client: number,
    offer: Offer,
    options: { readonly plan: Plan; readonly served: Uint8Array<ArrayBuffer> | undefined },
  ): Promise<ControlVariates>;
  /** Removes the files. */
  close(): Promise<void>;
}

export async function createSimulatedControls(): Promise<SimulatedControls> {
  const folder = await mkdtemp(join(tmpdir(), "tributary-simulate-"));
  const { signal } = new AbortController();
  return {
    open(client, offer, { plan, served = new Uint8Array(0) }) {
      const file = join(folder, `${client}.safetensors`);
      const kept = {
        read: async () => {
          const read = await readFile(file).catch((error: NodeJS.ErrnoException) => {
            if (error.code === "ENOENT") return undefined;
            throw error;
          });
          return read && new Uint8Array(read.buffer as ArrayBuffer, read.byteOffset, read.byteLength);
        },
        write: (bytes: Uint8Array) => writeFile(file, bytes),
      };
      const releases = {
        target: async (path: string) => ({
          path,
          length: served.length,
          sha256: sha256(served),
          custom: undefined,
        }),
        fetchTarget: () => Promise.resolve(served),
      };
      return openControlVariates({ kept, releases, env: { log: silentLogger } }, offer, plan, signal);
    },
    close: () => rm(folder, { recursive: true, force: true }),
  };
}
