import { failure, type Clock } from "@tributary/core";
import { isIPv6 } from "node:net";
import { TokenBucket } from "../gateway/token-bucket.ts";

/** Failures that are let pass at once, and how many a second afterwards: of one account, and from one address. */
export const SIGN_IN_LIMITS = Object.freeze({
  account: { burst: 10, perSecond: 1 / 30 },
  address: { burst: 30, perSecond: 1 / 10 },
});
/** Accounts and addresses remembered; the oldest are forgotten. */
const REMEMBERED = 10_000;

/** Slows down who guesses. */
export interface SignInLimits {
  /** An attempt; what it returns is called when it turns out to be no guess. @throws `http/too-many-requests` */
  attempt(name: string, address: string): () => void;
}

export function createSignInLimits(clock: Pick<Clock, "monotonicMs">): SignInLimits {
  const buckets = { account: new Map<string, TokenBucket>(), address: new Map<string, TokenBucket>() };

  const take = (kind: "account" | "address", key: string): void => {
    const known = buckets[kind];
    const { burst, perSecond } = SIGN_IN_LIMITS[kind];
    const nowMs = clock.monotonicMs();
    const bucket = known.get(key) ?? new TokenBucket(burst, perSecond, nowMs);
    // At the end: what was asked for last is forgotten last.
    known.delete(key);
    known.set(key, bucket);
    if (known.size > REMEMBERED) known.delete(known.keys().next().value!);
    const retryAfterMs = bucket.take(nowMs);
    if (retryAfterMs === 0) return;
    throw failure("http/too-many-requests", `access: too many attempts to sign in (${kind})`, {
      detail: { retryAfterMs },
    });
  };

  return {
    attempt(name, address) {
      const from = networkOf(address);
      take("address", from);
      take("account", name);
      // Not the address's: who has an account would get as many attempts at others' as they like.
      return () => void buckets.account.delete(name);
    },
  };
}

/** Whoever has an IPv6 address has 2^64 of them. */
function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped !== null) return mapped[1]!;
  const [head = "", tail] = address.split("%")[0]!.split("::");
  const left = head.split(":").filter((part) => part !== "");
  const right = (tail ?? "").split(":").filter((part) => part !== "");
  const zeros = tail === undefined ? [] : Array.from({ length: 8 - left.length - right.length }, () => "0");
  return [...left, ...zeros, ...right]
    .slice(0, 4)
    .map((part) => Number.parseInt(part, 16).toString(16))
    .join(":");
}
