import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeState, type StrategyState } from "@tributary/aggregation";
import { sha256, silentLogger } from "@tributary/core";
import type { TargetReference } from "@tributary/federation";
import type { Offer, Plan } from "@tributary/protocol";
import { openControlVariates, type ControlVariates } from "@tributary/runtime/internal-node";

/** What simulated devices keep of SCAFFOLD from round to round: on disk, a file for each that ever took part. */
export interface SimulatedControls {
  /** The server's, as devices download it. */
  serve(path: string, state: StrategyState): TargetReference & { readonly sizeBytes: number };
  /** A device's half of a round. */
  open(client: number, offer: Offer, plan: Plan): Promise<ControlVariates>;
  /** Removes the files. */
  close(): Promise<void>;
}

export async function createSimulatedControls(): Promise<SimulatedControls> {
  const folder = await mkdtemp(join(tmpdir(), "tributary-simulate-"));
  const { signal } = new AbortController();
  let served: { readonly path: string; readonly bytes: Uint8Array<ArrayBuffer> } | undefined;
  const bytesOf = (path: string): Uint8Array<ArrayBuffer> => {
    if (served?.path !== path) throw new TypeError(`simulate: ${path} is not served`);
    return served.bytes;
  };
  const releases = {
    target: (path: string) => {
      const bytes = bytesOf(path);
      return { path, length: bytes.length, sha256: sha256(bytes), custom: undefined };
    },
    fetchTarget: (path: string) => Promise.resolve(bytesOf(path)),
  };
  return {
    serve(path, state) {
      const bytes = encodeState("scaffold", state);
      served = { path, bytes };
      return { target: path, digest: sha256(bytes), sizeBytes: bytes.length };
    },
    open(client, offer, plan) {
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
      return openControlVariates({ kept, releases, env: { log: silentLogger } }, offer, plan, signal);
    },
    close: () => rm(folder, { recursive: true, force: true }),
  };
}
