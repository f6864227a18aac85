import type { Migration, MigrationProvider } from "kysely/migration";
import { spine } from "./0001-spine.ts";
import { strategies } from "./0002-strategies.ts";
import { trainingOptions } from "./0003-training-options.ts";
import { secureRounds } from "./0004-secure-rounds.ts";
import { modelPorts } from "./0005-model-ports.ts";
import { suspicions } from "./0006-suspicions.ts";
import { certificateLog } from "./0007-certificate-log.ts";
import { updateLayout } from "./0008-update-layout.ts";
import { pace } from "./0009-pace.ts";
import { measurements } from "./0010-measurements.ts";
import { bufferedMode } from "./0011-buffered-mode.ts";
import { trust } from "./0012-trust.ts";
import { modelProcessing } from "./0015-model-processing.ts";
import { modelForms } from "./0017-model-forms.ts";
import { localMetrics } from "./0018-local-metrics.ts";
import { personalisation } from "./0019-personalisation.ts";
import { releases } from "./0021-releases.ts";
import { weightDeltas } from "./0022-weight-deltas.ts";
import { auditLog } from "./0023-audit-log.ts";
import { channels } from "./0024-channels.ts";
import { registry } from "./0025-registry.ts";
import { versionStates } from "./0026-version-states.ts";
import { rollouts } from "./0027-rollouts.ts";
import { withdrawals } from "./0028-withdrawals.ts";
import { operators } from "./0029-operators.ts";
import { apiTokens } from "./0030-api-tokens.ts";
import { fleet } from "./0031-fleet.ts";
import { idempotentRequests } from "./0033-idempotent-requests.ts";
import { roundPhases } from "./0035-round-phases.ts";
import { search } from "./0036-search.ts";
import { alerts } from "./0037-alerts.ts";
import { notifications } from "./0038-notifications.ts";
import { identityProviders } from "./0041-identity-providers.ts";
import { sessionTokens } from "./0043-session-tokens.ts";

/** In order of their names. In code, so that they travel with any bundle. */
const MIGRATIONS: Readonly<Record<string, Migration>> = {
  "0001-spine": spine,
  "0002-strategies": strategies,
  "0003-training-options": trainingOptions,
  "0004-secure-rounds": secureRounds,
  "0005-model-ports": modelPorts,
  "0006-suspicions": suspicions,
  "0007-certificate-log": certificateLog,
  "0008-update-layout": updateLayout,
  "0009-pace": pace,
  "0010-measurements": measurements,
  "0011-buffered-mode": bufferedMode,
  "0012-trust": trust,
  "0015-model-processing": modelProcessing,
  "0017-model-forms": modelForms,
  "0018-local-metrics": localMetrics,
  "0019-personalisation": personalisation,
  "0021-releases": releases,
  "0022-weight-deltas": weightDeltas,
  "0023-audit-log": auditLog,
  "0024-channels": channels,
  "0025-registry": registry,
  "0026-version-states": versionStates,
  "0027-rollouts": rollouts,
  "0028-withdrawals": withdrawals,
  "0029-operators": operators,
  "0030-api-tokens": apiTokens,
  "0031-fleet": fleet,
  "0033-idempotent-requests": idempotentRequests,
  "0035-round-phases": roundPhases,
  "0036-search": search,
  "0037-alerts": alerts,
  "0038-notifications": notifications,
  "0041-identity-providers": identityProviders,
  "0043-session-tokens": sessionTokens,
};

export const migrationProvider: MigrationProvider = {
  getMigrations: () => Promise.resolve({ ...MIGRATIONS }),
};
