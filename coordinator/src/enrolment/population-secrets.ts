import { join } from "node:path";
import { TributaryError, type PopulationName, type SecureRandom } from "@tributary/core";
import { corrupt, createKeyFile, readKeyFile } from "../keys/key-file.ts";

const SECRET_BYTES = 32;

/** The secrets that enrolment tokens are signed with (HS256), one a population. */
export interface PopulationSecrets {
  /** `undefined` where no token was ever minted for the population. Never makes one: anybody may ask. */
  get(population: PopulationName): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Makes one where there is none. */
  getOrCreate(population: PopulationName): Promise<Uint8Array<ArrayBuffer>>;
}

/** Secrets as files `<folder>/enrolment.<population>.secret`, 32 raw bytes: an app's backend may hold a copy and mint by itself. */
export function openPopulationSecrets(folder: string, random: SecureRandom): PopulationSecrets {
  const known = new Map<PopulationName, Uint8Array<ArrayBuffer>>();
  const pathOf = (population: PopulationName): string => join(folder, `enrolment.${population}.secret`);

  const get = async (population: PopulationName): Promise<Uint8Array<ArrayBuffer> | undefined> => {
    const cached = known.get(population);
    if (cached !== undefined) return cached;
    const path = pathOf(population);
    const secret = await readKeyFile(path);
    if (secret === undefined) return undefined;
    if (secret.length !== SECRET_BYTES)
      throw corrupt(path, `expected ${SECRET_BYTES} bytes, got ${secret.length}`);
    known.set(population, secret);
    return secret;
  };

  return {
    get,
    async getOrCreate(population) {
      const found = await get(population);
      if (found !== undefined) return found;
      try {
        await createKeyFile(pathOf(population), random.bytes(SECRET_BYTES));
      } catch (error) {
        // Another caller was faster; its secret counts.
        if (!(TributaryError.is(error) && error.code === "store/conflict")) throw error;
      }
      return (await get(population))!;
    },
  };
}
