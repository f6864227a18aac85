import { scrypt, timingSafeEqual, type ScryptOptions } from "node:crypto";
import { promisify } from "node:util";
import { failure, type SecureRandom } from "@tributary/core";
import { Semaphore } from "../rounds/serial-queue.ts";

/** What one hash costs: 128 * 2^logN * r bytes of memory, p times. */
export interface ScryptCost {
  readonly logN: number;
  readonly r: number;
  readonly p: number;
}

/** 32 MiB, three times: as much as OWASP's cheat sheet asks of scrypt. */
export const DEFAULT_COST: ScryptCost = Object.freeze({ logN: 15, r: 8, p: 3 });

/** Bounds of what a stored hash may ask for: a damaged row must not take the memory of the process. */
const MOST: ScryptCost = { logN: 17, r: 8, p: 8 };
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** Hashes at a time; the others wait. */
const AT_ONCE = 2;

export const PASSWORD_LENGTH = Object.freeze({ min: 12, max: 256 });

/** How passwords are stored, and compared. */
export interface Passwords {
  /** `$scrypt$ln=15,r=8,p=3$SALT$HASH`: another cost later leaves what is stored readable. */
  hash(password: string): Promise<string>;
  /** Takes as long whether there is such an account (and a hash of it) or not. */
  verify(password: string, stored: string | undefined): Promise<boolean>;
}

const derive = promisify<string, Uint8Array, number, ScryptOptions, Buffer>(scrypt);

export function createPasswords(
  random: Pick<SecureRandom, "bytes">,
  cost: ScryptCost = DEFAULT_COST,
): Passwords {
  const places = new Semaphore(AT_ONCE);
  const hashed = (password: string, salt: Uint8Array, { logN, r, p }: ScryptCost): Promise<Buffer> =>
    places.run(() =>
      derive(password.normalize("NFKC"), salt, HASH_BYTES, {
        N: 2 ** logN,
        r,
        p,
        maxmem: 128 * 2 ** logN * r + 1024 * 1024,
      }),
    );
  const absent = { cost, salt: random.bytes(SALT_BYTES), hash: random.bytes(HASH_BYTES) };

  return {
    async hash(password) {
      const salt = random.bytes(SALT_BYTES);
      const hash = await hashed(password, salt, cost);
      const { logN, r, p } = cost;
      return `$scrypt$ln=${logN},r=${r},p=${p}$${base64(salt)}$${base64(hash)}`;
    },
    async verify(password, stored) {
      const known = stored === undefined ? undefined : parse(stored);
      const against = known ?? absent;
      const isEqual = timingSafeEqual(await hashed(password, against.salt, against.cost), against.hash);
      return isEqual && known !== undefined;
    },
  };
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64").replace(/=+$/, "");

const STORED = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{22})\$([A-Za-z0-9+/]{43})$/;

/** @throws `store/corrupt` */
function parse(stored: string): { cost: ScryptCost; salt: Uint8Array; hash: Uint8Array } {
  const [, logN, r, p, salt, hash] = STORED.exec(stored) ?? [];
  const cost = { logN: Number(logN), r: Number(r), p: Number(p) };
  if (hash === undefined || cost.logN < 1 || cost.logN > MOST.logN || cost.r > MOST.r || cost.p > MOST.p)
    throw failure("store/corrupt", "access: a stored password is not as it was written; set it anew");
  return { cost, salt: Buffer.from(salt!, "base64"), hash: Buffer.from(hash, "base64") };
}

/**
 * Whether a password may be set: long enough, and not what one would try first.
 *
 * @throws `identity/weak-password`
 */
export function checkPassword(password: string, name: string): void {
  const { min, max } = PASSWORD_LENGTH;
  const length = Array.from(password).length;
  const problem =
    length < min || length > max
      ? `it has ${length} characters, expected ${min} to ${max}`
      : password.toLowerCase().includes(name.toLowerCase())
        ? "it contains the account's name"
        : new Set(password).size < 5
          ? "it consists of the same few characters"
          : undefined;
  if (problem === undefined) return;
  throw failure("identity/weak-password", `access: the password is not accepted: ${problem}`, {
    detail: { problem },
  });
}
