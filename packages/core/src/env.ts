import { systemClock, type Clock } from "./clock.ts";
import { silentLogger, type Logger } from "./log.ts";
import { systemRandom, type SecureRandom } from "./secure-random.ts";

/** What a part needs of its surroundings; passed to constructors, never set globally. */
export interface Env {
  readonly clock: Clock;
  readonly random: SecureRandom;
  readonly log: Logger;
}

/** The platform's clock and randomness; logs nothing unless told to. */
export function systemEnv(overrides: Partial<Env> = {}): Env {
  return { clock: systemClock, random: systemRandom, log: silentLogger, ...overrides };
}
