/** How many requests of one client are answered: a minute, and tokens an hour. Programs on this machine are not counted by address. */
export interface RateLimits {
  /** Requests of one address. */
  readonly requestsPerAddress: number;
  /** Requests of one address with a credential that is none: beyond that nobody guesses on. */
  readonly refusalsPerAddress: number;
  /** Requests of one operator, from wherever they come: in all browsers, and with all tokens of an account. */
  readonly requestsPerOperator: number;
  /** Tokens of open enrolment, an hour, to one address. */
  readonly openTokensPerAddress: number;
  /** Likewise in all. */
  readonly openTokensInAll: number;
}

export const DEFAULT_RATES: RateLimits = Object.freeze({
  requestsPerAddress: 6_000,
  refusalsPerAddress: 60,
  requestsPerOperator: 6_000,
  openTokensPerAddress: 60,
  openTokensInAll: 1_000,
});
