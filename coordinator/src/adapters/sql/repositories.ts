import type { MetadataRepositories } from "../../ports/metadata-store.ts";
import { alertRuleRepository } from "./repositories/alert-rules.ts";
import { alertRepository } from "./repositories/alerts.ts";
import { accountRepository } from "./repositories/accounts.ts";
import { apiTokenRepository } from "./repositories/api-tokens.ts";
import { auditRepository } from "./repositories/audit.ts";
import { bufferedCohortRepository } from "./repositories/buffered-cohorts.ts";
import { aliasRepository } from "./repositories/aliases.ts";
import { channelRepository } from "./repositories/channels.ts";
import { certificateLogRepository } from "./repositories/certificate-log.ts";
import { deliveryRepository } from "./repositories/deliveries.ts";
import { deviceRepository } from "./repositories/devices.ts";
import { deviceHealthRepository } from "./repositories/device-health.ts";
import { fleetRepository } from "./repositories/fleet.ts";
import { eventRepository } from "./repositories/events.ts";
import { journalRepository } from "./repositories/journal.ts";
import { measurementRepository } from "./repositories/measurements.ts";
import { modelRepository } from "./repositories/models.ts";
import { notificationChannelRepository } from "./repositories/notification-channels.ts";
import { optimizerRepository } from "./repositories/optimizers.ts";
import { participationRepository } from "./repositories/participations.ts";
import { policyDecisionRepository, policyRepository } from "./repositories/policies.ts";
import { refusalRepository } from "./repositories/refusals.ts";
import { releaseRepository } from "./repositories/releases.ts";
import { rolloutRepository } from "./repositories/rollouts.ts";
import { roundRepository } from "./repositories/rounds.ts";
import { searchRepository } from "./repositories/search.ts";
import { silenceRepository } from "./repositories/silences.ts";
import { sessionRepository } from "./repositories/sessions.ts";
import { suspicionRepository } from "./repositories/suspicions.ts";
import { settingsRepository } from "./repositories/settings.ts";
import { taskRepository } from "./repositories/tasks.ts";
import { versionStateRepository } from "./repositories/version-states.ts";
import { versionRepository } from "./repositories/versions.ts";
import { idempotentRequestRepository } from "./repositories/idempotent-requests.ts";
import { withdrawalRepository } from "./repositories/withdrawals.ts";
import type { Db } from "./rows.ts";

/** All repositories over one database or one transaction. */
export function repositories(db: Db): MetadataRepositories {
  return {
    models: modelRepository(db),
    channels: channelRepository(db),
    aliases: aliasRepository(db),
    versions: versionRepository(db),
    versionStates: versionStateRepository(db),
    tasks: taskRepository(db),
    rounds: roundRepository(db),
    bufferedCohorts: bufferedCohortRepository(db),
    search: searchRepository(db),
    measurements: measurementRepository(db),
    journal: journalRepository(db),
    releases: releaseRepository(db),
    devices: deviceRepository(db),
    fleet: fleetRepository(db),
    certificateLog: certificateLogRepository(db),
    audit: auditRepository(db),
    refusals: refusalRepository(db),
    suspicions: suspicionRepository(db),
    participations: participationRepository(db),
    deviceHealth: deviceHealthRepository(db),
    rollouts: rolloutRepository(db),
    withdrawals: withdrawalRepository(db),
    alertRules: alertRuleRepository(db),
    alerts: alertRepository(db),
    silences: silenceRepository(db),
    notificationChannels: notificationChannelRepository(db),
    deliveries: deliveryRepository(db),
    policies: policyRepository(db),
    policyDecisions: policyDecisionRepository(db),
    idempotentRequests: idempotentRequestRepository(db),
    optimizers: optimizerRepository(db),
    events: eventRepository(db),
    accounts: accountRepository(db),
    sessions: sessionRepository(db),
    apiTokens: apiTokenRepository(db),
    settings: settingsRepository(db),
  };
}
