import { asModelName, asModelVersion } from "@tributary/core";
import type { ModelRecord, VersionRecord } from "../../ports/model-records.ts";
import { counted, percent, type AlertSignals, type Finding, type Watch } from "../finding.ts";

/** Versions among which the newest with a verdict is looked for. */
const JUDGED_AMONG = 10;

/**
 * The newest version of a model against its champion: on held-out data by Wilson's interval, and by what its gate found on devices.
 * Where there is an interval all of it has to lie below, so that a small data set wakes nobody.
 */
export const accuracyFell: Watch = async ({ store }, _, { threshold }) => {
  const findings: Finding[] = [];
  for (const model of await store.models.list()) {
    const found = (await onHeldOutData(store, model, threshold)) ?? (await byGate(store, model, threshold));
    if (found !== undefined) findings.push(found);
  }
  return findings;
};

async function onHeldOutData(
  { versions }: Pick<AlertSignals["store"], "versions">,
  { name: model, currentVersion, releasedVersion }: ModelRecord,
  threshold: number,
): Promise<Finding | undefined> {
  if (currentVersion === releasedVersion) return undefined;
  const newest = await versions.get(model, currentVersion);
  const champion = await versions.get(model, releasedVersion);
  const [now, before] = [newest?.accuracy ?? null, champion?.accuracy ?? null];
  if (newest === undefined || now === null || before === null) return undefined;
  const upper = newest.lineage?.intervals["accuracy"]?.upper ?? now;
  if (before - upper <= threshold) return undefined;
  return {
    subject: { model },
    value: before - now,
    summary: `Version ${currentVersion} of ${model} is right in ${percent(now)} (at most ${percent(upper)}) of held-out examples, its champion ${releasedVersion} in ${percent(before)}`,
    advice: "Look at its rounds before it is released.",
  };
}

async function byGate(
  { versions }: Pick<AlertSignals["store"], "versions">,
  { name: model, releasedVersion }: ModelRecord,
  threshold: number,
): Promise<Finding | undefined> {
  const judged = (await versions.list(model, { limit: JUDGED_AMONG })).find(
    (version): version is VersionRecord & { readonly gate: NonNullable<VersionRecord["gate"]> } =>
      version.gate !== null && version.version > releasedVersion,
  );
  if (judged === undefined) return undefined;
  const { metric, improvement, upper, reference } = judged.gate;
  if (metric !== "accuracy" || improvement === null || upper === null || -upper <= threshold)
    return undefined;
  return {
    subject: { model },
    value: -improvement,
    summary: `On held-out devices version ${judged.version} of ${model} is less accurate than version ${reference} by ${percent(-improvement)}, and by ${percent(-upper)} at least`,
    advice: "Look at its rounds before it is released.",
  };
}

/** Versions that devices do not let run. */
export const versionRefused: Watch = async ({ refusedVersions }, _, { threshold }) =>
  refusedVersions()
    .filter(({ devices }) => devices >= threshold)
    .map(({ model, version, code, devices }) => ({
      subject: { model: asModelName(model), version: asModelVersion(version), code },
      value: devices,
      summary: `${counted(devices, "device")} ${devices === 1 ? "does" : "do"} not run version ${version} of ${model}: ${code}`,
      advice: "Take it back before more of them try.",
    }));

/** Versions that reach devices slowly. */
export const pushSlow: Watch = async ({ push }, _, { threshold, now }) => {
  const seconds = (push(now)?.p99Ms ?? 0) / 1_000;
  if (seconds <= threshold) return [];
  return [
    {
      subject: {},
      value: seconds,
      summary: `One device in a hundred takes ${Math.round(seconds)} s to run a new version`,
      advice: "See whether the coordinator's machine or its network is too small for the fleet.",
    },
  ];
};
