import { asDeviceId, asModelVersion } from "@tributary/core";
import { ModelVersionSchema, RoundIdSchema, type AuditRecord } from "@tributary/protocol";
import Type from "typebox";
import type { DeliveryRecord, PolicyDecisionRecord } from "../ports/alert-records.ts";
import type { FleetDeviceRecord } from "../ports/device-records.ts";
import type { ChannelRecord, VersionRecord } from "../ports/model-records.ts";
import type { RolloutRecord } from "../ports/rollout-records.ts";
import type { RefusalRecord, RoundRecord } from "../ports/round-records.ts";
import type { MeasurementRecord } from "../ports/task-records.ts";
import { fieldCursors, numberOf, plainCursors } from "./cursors.ts";
import { pageReader } from "./read-page.ts";

const Time = Type.Integer();
const byNumber = plainCursors(numberOf);

/** The stored lists that can grow without bound: what each is in order by, and how that is written in a cursor. */
export const LISTS = Object.freeze({
  rounds: pageReader(byNumber, ({ number }: RoundRecord) => number),
  versions: pageReader(
    plainCursors((text) => asModelVersion(numberOf(text))),
    ({ version }: VersionRecord) => version,
  ),
  auditRecords: pageReader(byNumber, ({ index }: AuditRecord) => index),
  refusals: pageReader(byNumber, ({ id }: RefusalRecord) => id),
  rollouts: pageReader(byNumber, ({ number }: RolloutRecord) => number),
  deliveries: pageReader(byNumber, ({ sequence }: DeliveryRecord) => sequence),
  devices: pageReader(plainCursors(asDeviceId), ({ deviceId }: FleetDeviceRecord) => deviceId),
  channelHistory: pageReader(
    fieldCursors(Type.Object({ releasedAt: Time, version: ModelVersionSchema })),
    ({ releasedAt, version }: ChannelRecord) => ({ releasedAt, version }),
  ),
  measurements: pageReader(
    fieldCursors(Type.Object({ at: Time, roundId: RoundIdSchema })),
    ({ at, roundId }: MeasurementRecord) => ({ at, roundId }),
  ),
  policyDecisions: pageReader(
    fieldCursors(Type.Object({ at: Time, policy: Type.String(), key: Type.String() })),
    ({ at, policy, key }: PolicyDecisionRecord) => ({ at, policy, key }),
  ),
});
