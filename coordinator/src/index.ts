export { type Backup, backupDataDir, type BackupOptions } from "./backup/backup.ts";
export type { BackupManifest } from "./backup/backup-files.ts";
export { restoreDataDir, type RestoreOptions } from "./backup/restore.ts";
export type {
  CoordinatorConfig,
  CoordinatorLimits,
  IssuerConfig,
  LogFormat,
  LogLevel,
  TlsConfig,
} from "./config.ts";
export { DEFAULT_LIMITS } from "./config.ts";
export { type Coordinator, createCoordinator } from "./coordinator.ts";
export { DEFAULT_TOKEN_TTL_MS, type EnrolmentTokens, type MintOptions } from "./enrolment/enrolment-token.ts";
export { createIssuerKey, readIssuerKey } from "./enrolment/issuer-key.ts";
export { mintRecordedToken, openEnrolmentTokens } from "./enrolment/tokens-of-data-dir.ts";
export {
  createSigningKeyFile,
  KEY_ALGORITHMS,
  type KeyAlgorithm,
  readSigningKeyFile,
} from "./keys/signing-key.ts";
export { TokenBucket } from "./gateway/token-bucket.ts";
export { sendError } from "./http/errors.ts";
export { registerProblemPages } from "./http/problem-pages.ts";
export { hostCheck, hostName, listensEverywhere, urlHost } from "./http/host-name.ts";
export { DEFAULT_RATES, type RateLimits } from "./rates.ts";
export { addProcessOptions, processConfig, type ProcessOptions } from "./process-options.ts";
export { createBearerCheck } from "./http/operator-token.ts";
export { createMlflowClient, type MlflowConfig, mlflowOfEnvironment } from "./runs/mlflow-client.ts";
export { type MlflowRuns, mlflowRuns } from "./runs/mlflow-runs.ts";
export type { RunSource } from "./runs/run-source.ts";
export { type TensorboardRuns, tensorboardRuns } from "./runs/tensorboard-runs.ts";
export { PLAIN_PAGE_CSP, plainPage } from "./http/plain-page.ts";
