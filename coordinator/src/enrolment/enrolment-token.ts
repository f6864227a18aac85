import {
  encodeBase64url,
  failure,
  type Clock,
  type PopulationName,
  type SecureRandom,
} from "@tributary/core";
import { DeviceTagSchema, MAX_DEVICE_TAGS } from "@tributary/protocol";
import { decodeJwt, errors, jwtVerify, SignJWT, type JWTPayload } from "jose";
import Type from "typebox";
import { Check } from "typebox/value";
import { hasDuplicateClaims } from "./duplicate-claims.ts";
import type { PopulationSecrets } from "./population-secrets.ts";

/** Tells enrolment tokens from any other JWT that the same secret might ever sign (RFC 8725, 3.11). */
export const ENROLMENT_TOKEN_TYPE = "tributary-enrolment+jwt";
const ALGORITHM = "HS256";
const TOKEN_ID_BYTES = 16;
const MAX_TOKEN_LENGTH = 4_096;
const MAX_USES = 1_000_000;
const MAX_LIFETIME_SECONDS = 366 * 86_400;
/** How far ahead the clock of an app's backend may be. */
const MAX_CLOCK_SKEW_MS = 300_000;

export interface MintOptions {
  /** @defaultValue one hour */
  readonly ttlMs?: number;
  /** How many devices may enrol with it; the same device may again. @defaultValue 1 */
  readonly maxUses?: number;
  /** The app's name for whom it is, at most 256 characters; not interpreted. */
  readonly subject?: string;
  /** Words by which operators group devices, at most 8; the device is not told. */
  readonly tags?: readonly string[];
}

export const DEFAULT_TOKEN_TTL_MS = 3_600_000;

/** What a valid token says. */
export interface EnrolmentToken {
  /** The token's own id (`jti`). */
  readonly id: string;
  readonly population: PopulationName;
  readonly expiresAtMs: number;
  readonly maxUses: number;
  readonly subject: string | undefined;
  readonly tags: readonly string[];
}

export interface EnrolmentTokens {
  mint(population: PopulationName, options?: MintOptions): Promise<string>;
  /** @throws TributaryError `identity/invalid-token`, `identity/token-expired` or `identity/wrong-population`. */
  verify(population: PopulationName, token: string): Promise<EnrolmentToken>;
}

/**
 * Enrolment tokens: JWTs (RFC 7519) with `aud` = population, `exp`, `iat`, `jti`, `uses` where more than one device may use it, and `tags`
 * where the device has some.
 */
export function createEnrolmentTokens(options: {
  readonly secrets: PopulationSecrets;
  readonly clock: Pick<Clock, "now">;
  readonly random: SecureRandom;
}): EnrolmentTokens {
  const { secrets, clock, random } = options;
  return {
    async mint(population, { ttlMs = DEFAULT_TOKEN_TTL_MS, maxUses = 1, subject, tags = [] } = {}) {
      requireInteger("ttlMs", ttlMs, 1_000, MAX_LIFETIME_SECONDS * 1_000);
      requireInteger("maxUses", maxUses, 1, MAX_USES);
      if (subject !== undefined && (subject === "" || subject.length > 256)) {
        throw new RangeError("mintEnrolmentToken: subject must have 1 to 256 characters");
      }
      if (!areTags(tags)) {
        throw new RangeError(
          `mintEnrolmentToken: tags: at most ${MAX_DEVICE_TAGS} different ones of letters, digits and . _ -, each of at most 63`,
        );
      }
      const nowSeconds = Math.floor(clock.now() / 1_000);
      const jwt = new SignJWT({
        ...(maxUses === 1 ? {} : { uses: maxUses }),
        ...(tags.length === 0 ? {} : { tags }),
      })
        .setProtectedHeader({ alg: ALGORITHM, typ: ENROLMENT_TOKEN_TYPE })
        .setAudience(population)
        .setIssuedAt(nowSeconds)
        .setExpirationTime(nowSeconds + Math.ceil(ttlMs / 1_000))
        .setJti(encodeBase64url(random.bytes(TOKEN_ID_BYTES)));
      if (subject !== undefined) jwt.setSubject(subject);
      return jwt.sign(await secrets.getOrCreate(population));
    },

    async verify(population, token) {
      if (token.length > MAX_TOKEN_LENGTH) throw invalidToken(`it has ${token.length} characters`);
      if (hasDuplicateClaims(token)) throw invalidToken("it says something twice");
      const secret = await secrets.get(population);
      if (secret === undefined)
        throw otherPopulation(population, token) ?? invalidToken("no token was minted for it");
      let payload: JWTPayload;
      try {
        ({ payload } = await jwtVerify(token, secret, {
          algorithms: [ALGORITHM],
          typ: ENROLMENT_TOKEN_TYPE,
          audience: population,
          requiredClaims: ["exp", "iat", "jti"],
          currentDate: new Date(clock.now()),
        }));
      } catch (cause) {
        if (cause instanceof errors.JWTExpired) {
          throw failure(
            "identity/token-expired",
            "enrolment: the token has expired; ask the app's backend for another",
            {
              cause,
            },
          );
        }
        throw (
          otherPopulation(population, token) ??
          invalidToken(cause instanceof Error ? cause.message : "", cause)
        );
      }
      const { jti, exp, iat, sub, aud } = payload;
      // Whoever holds the secret may mint; a token that holds for ever is a secret itself.
      if (exp! - iat! > MAX_LIFETIME_SECONDS) throw invalidToken("it holds for more than a year");
      if (iat! * 1_000 > clock.now() + MAX_CLOCK_SKEW_MS) throw invalidToken("it was made in the future");
      const uses = payload["uses"] ?? 1;
      // `jose` checked that the required claims are there; what they hold is for us.
      if (typeof jti !== "string" || jti.length === 0 || jti.length > 64)
        throw invalidToken("jti is malformed");
      if (typeof aud !== "string") throw invalidToken("aud has to be the one population");
      if (typeof uses !== "number" || !Number.isSafeInteger(uses) || uses < 1 || uses > MAX_USES) {
        throw invalidToken("uses is malformed");
      }
      const tags = payload["tags"] ?? [];
      if (!areTags(tags)) throw invalidToken("tags are malformed");
      return { id: jti, population, expiresAtMs: exp! * 1_000, maxUses: uses, subject: sub, tags };
    },
  };
}

const Tags = Type.Array(DeviceTagSchema, { maxItems: MAX_DEVICE_TAGS, uniqueItems: true });

function areTags(value: unknown): value is readonly string[] {
  return Check(Tags, value);
}

/** An unverified look at the audience: it only chooses between two refusals. */
function otherPopulation(population: PopulationName, token: string): Error | undefined {
  try {
    const { aud } = decodeJwt(token);
    if (typeof aud !== "string" || aud === population) return undefined;
  } catch {
    return undefined;
  }
  return failure("identity/wrong-population", `enrolment: the token is not for population ${population}`, {
    detail: { population },
  });
}

function invalidToken(reason: string, cause?: unknown): Error {
  return failure("identity/invalid-token", `enrolment: the token is not valid: ${reason}`, { cause });
}

function requireInteger(name: string, value: number, minimum: number, maximum: number): void {
  if (!Number.isSafeInteger(value) || value < minimum || value > maximum) {
    throw new RangeError(
      `mintEnrolmentToken: ${name} must be an integer of ${minimum} to ${maximum}, got ${value}`,
    );
  }
}
