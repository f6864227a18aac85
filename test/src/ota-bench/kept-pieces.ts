import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Pieces of a long benchmark that were made before, in this run or, in a folder, an earlier one. */
export interface KeptPieces {
  json<T>(name: string, measure: () => Promise<T>): Promise<T>;
  bytes(name: string, make: () => Promise<Uint8Array>): Promise<Uint8Array<ArrayBuffer>>;
}

/** @param folder - undefined: they are kept in memory */
export function keptPieces(folder: string | undefined): KeptPieces {
  const memory = new Map<string, Uint8Array>();
  const read = (name: string): Uint8Array | undefined => {
    if (folder === undefined) return memory.get(name);
    const path = join(folder, name);
    return existsSync(path) ? readFileSync(path) : undefined;
  };
  const write = (name: string, bytes: Uint8Array): void => {
    if (folder === undefined) return void memory.set(name, bytes);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, name), bytes);
  };
  const bytes: KeptPieces["bytes"] = async (name, make) => {
    const known = read(name);
    if (known !== undefined) return new Uint8Array(known);
    const made = await make();
    write(name, made);
    return new Uint8Array(made);
  };
  return {
    bytes,
    async json<T>(name: string, measure: () => Promise<T>) {
      const made = await bytes(`${name}.json`, async () => Buffer.from(JSON.stringify(await measure())));
      return JSON.parse(Buffer.from(made).toString()) as T;
    },
  };
}
