export { DeviceTable } from "./device-table.ts";
export { ineligibleReason, type DeviceConditions } from "./client/eligibility.ts";
export { initialParticipant, stepParticipant } from "./client/participant.ts";
export {
  PARTICIPANT_DEFAULTS,
  type Activity,
  type LocalUpdate,
  type ParticipantConfig,
  type ParticipantEffect,
  type ParticipantEvent,
  type ParticipantInput,
  type ParticipantState,
  type ParticipantStep,
  type SecureUpdate,
} from "./client/participant-types.ts";
export {
  initialRound,
  invitationOf,
  roundCounts,
  roundDeadline,
  roundEnded,
  stepRound,
  type Invitation,
} from "./server/round.ts";
export {
  boundMetrics,
  fromMetricSegments,
  metricEncoding,
  metricSchemaOf,
  requireMetrics,
  requireMetricSegments,
  toMetricSegments,
} from "./metric-vector.ts";
export type {
  MeasurementRules,
  Participant,
  ParticipantStage,
  RoundConfig,
  RoundCounts,
  RoundEffect,
  RoundInput,
  RoundState,
  RoundStep,
  SecureClaim,
  SecureCohort,
  SecureRules,
  SecureTally,
  TargetReference,
  UpdateClaim,
} from "./server/round-types.ts";
export {
  bufferedUpdates,
  initialBuffer,
  isLiveBase,
  stalenessOf,
  stepBuffer,
  type BufferConfig,
  type BufferedCohort,
  type BufferEffect,
  type BufferInput,
  type BufferState,
  type BufferStep,
  type StaleCohort,
} from "./server/buffer.ts";
export {
  fromSecureSegments,
  secureEncoding,
  toSecureSegments,
  type SecureVectorRules,
  type TrainingTotals,
} from "./secure-vector.ts";
export {
  chooseSuspects,
  judgeCohort,
  judgeRefusal,
  QUARANTINE_LEAD,
  QUARANTINE_POINTS,
  type CohortVerdict,
  type Judgement,
  type SuspicionPoints,
} from "./server/suspicion.ts";
export {
  createCheckInQueue,
  drawOrder,
  type CheckIn,
  type CheckInQueue,
  type DrawRules,
} from "./server/selection.ts";
export { returnAfterMs, returnWindow, type PaceInput, type ReturnWindow } from "./pace.ts";
export { advanceGate, gateReason, judge, type GateMeasurement, type GateState } from "./server/gate-rule.ts";
export { impossibleIn, measuredOf } from "./measured-sums.ts";
export { mayStillBegin } from "./server/task-window.ts";
export { failuresAfter, giveUpReason, retryDelayMs } from "./server/retry.ts";
export {
  addResult,
  NO_PROGRESS,
  stopReason,
  type RoundResult,
  type StopProgress,
} from "./server/stop-rule.ts";
export { createTaskShares, keepsDevices, type TaskShares, type WaitingTask } from "./server/task-shares.ts";
export { separationLeft, type Participation, type Separation } from "./separation.ts";
export {
  gateAlpha,
  initialRollout,
  readGate,
  rolloutEnded,
  rolloutShares,
  rolloutWaitsFor,
  stepRollout,
  stepShare,
  type GateReading,
} from "./server/rollout.ts";
export { simulateRollouts, type RolloutWorld, type SimulatedRates } from "./server/rollout-simulation.ts";
export type {
  ArmProgress,
  GateTest,
  RolloutConfig,
  RolloutEffect,
  RolloutInput,
  RolloutProgress,
  RolloutState,
  RolloutTransition,
  WatchedDevices,
} from "./server/rollout-types.ts";
