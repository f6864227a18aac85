import { join } from "node:path";
import type { DeviceId } from "@tributary/core";
import { updateRules } from "@tributary/federation/aggregation";
import type { SecureStepName } from "@tributary/protocol";
import { MetricUpdates } from "./measurement/metric-updates.ts";
import { ReportedFiles } from "./reported-files.ts";
import { trainRootUpdate } from "./root-update.ts";
import type { RoundRunOptions } from "./round-run-options.ts";
import { RoundUpdates, type RoundUpdatesOptions } from "./round-updates.ts";
import { SecureSession } from "./secure/secure-session.ts";

/** Whom what devices send is given to. */
export interface RoundReceiver extends Pick<
  RoundUpdatesOptions,
  "invitationOf" | "accept" | "written" | "refuse" | "failed"
> {
  /** Whether a member of a secure cohort is to take this step now. */
  readonly expects: (device: DeviceId, step: SecureStepName) => boolean;
  readonly answered: (device: DeviceId, step: SecureStepName) => void;
  /** More of the masks is off. */
  readonly progressed: () => void;
}

/** What a round takes from devices: updates to sum, vectors to add. */
export function openUpdates(options: RoundRunOptions, receiver: RoundReceiver): RoundUpdates | MetricUpdates {
  const { services, config, plan, strategy, measurement, task, base, uploadFolder } = options;
  const files = new ReportedFiles(join(uploadFolder, config.roundId));
  if (measurement !== undefined)
    return new MetricUpdates({ config, plan: measurement.plan, files, ...receiver });
  return new RoundUpdates({
    rules: updateRules(plan, config.roundId),
    // A cohort of a buffer is averaged; what the strategy compares is the means of cohorts.
    aggregation: config.buffered === true ? { kind: "mean" } : strategy.strategy.aggregation,
    files,
    rootUpdate: () => {
      const { roundId, round, trainingRound = round } = config;
      return trainRootUpdate(services, { roundId, trainingRound, plan, task, base });
    },
    ...receiver,
  });
}

/** In secure rounds, instead of the updates; undefined in others. */
export function openSecureSession(
  { services, config, plan, measurement, uploadFolder }: RoundRunOptions,
  receiver: RoundReceiver,
): SecureSession | undefined {
  const { secure } = measurement ?? plan;
  if (secure === null) return undefined;
  return new SecureSession({
    config,
    plan: secure,
    env: services.env,
    steadyNow: services.steadyNow,
    folder: uploadFolder,
    unmasker: services.unmasker,
    certificateLog: services.certificateLog,
    ...receiver,
  });
}
