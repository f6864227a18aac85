export type { CoordinatorConfig, CoordinatorLimits, IssuerConfig, LogLevel } from "./config.ts";
export { DEFAULT_LIMITS, LOG_LEVELS } from "./config.ts";
export { type Coordinator, createCoordinator } from "./coordinator.ts";
export { DEFAULT_TOKEN_TTL_MS, type EnrolmentTokens, type MintOptions } from "./enrolment/enrolment-token.ts";
export { openEnrolmentTokens } from "./enrolment/tokens-of-data-dir.ts";
export { hostCheck, hostName, listensEverywhere, urlHost } from "./http/host-name.ts";
export { PLAIN_PAGE_CSP, plainPage } from "./http/plain-page.ts";
