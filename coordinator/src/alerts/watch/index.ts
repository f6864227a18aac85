import type { AlertKind } from "@tributary/protocol";
import type { Watch } from "../finding.ts";
import { createAuditWatch } from "./audit.ts";
import { createDriftWatch } from "./drift.ts";
import { createFleetWatch } from "./fleet.ts";
import {
  coordinatorBusy,
  diskAlmostFull,
  metadataExpires,
  metadataNotRenewed,
  signaturesMissing,
  storageProblem,
} from "./machine.ts";
import { rolloutFailed } from "./rollouts.ts";
import { gateFailed, noDevices, roundsFail } from "./rounds.ts";
import { accuracyFell, pushSlow, versionRefused } from "./versions.ts";

/** How each kind of rule looks. */
export function createWatches(): { readonly [Kind in AlertKind]: Watch } {
  return {
    "rounds-fail": roundsFail,
    "accuracy-fell": accuracyFell,
    "gate-failed": gateFailed,
    "rollout-failed": rolloutFailed,
    drift: createDriftWatch(),
    "version-refused": versionRefused,
    "no-devices": noDevices,
    "devices-silent": createFleetWatch(),
    "push-slow": pushSlow,
    "coordinator-busy": coordinatorBusy,
    "storage-problem": storageProblem,
    "disk-almost-full": diskAlmostFull,
    "metadata-expires": metadataExpires,
    "metadata-not-renewed": metadataNotRenewed,
    "signatures-missing": signaturesMissing,
    "audit-broken": createAuditWatch(),
  };
}
