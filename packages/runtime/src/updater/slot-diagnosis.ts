/** What is told of a model that is open. Loaded where somebody asks. */
import type { TributaryError } from "@tributary/core";
import type { ModelManifest } from "@tributary/protocol";
import type { ModelDiagnosis, RefusedVersion, VersionDownload } from "../diagnosis.ts";
import type { InferenceQueue } from "../inference/inference-queue.ts";
import type { InstalledVersion } from "../store/device-store.ts";
import { engineDiagnosis } from "./engine-diagnosis.ts";
import type { FormLease } from "./form-lease.ts";
import type { Standing } from "./standing.ts";

/** How it is with an open model at a moment. */
export interface SlotFacts {
  readonly channel: string;
  readonly lease: FormLease;
  readonly manifest: ModelManifest;
  readonly queue: InferenceQueue;
  readonly download: VersionDownload | undefined;
  readonly refused: RefusedVersion | undefined;
  readonly standing: Standing | undefined;
  /** What ran before, and is still here. */
  readonly kept: InstalledVersion | undefined;
  /** Why what runs answers nothing. */
  readonly barred: TributaryError | undefined;
}

export function slotDiagnosis(facts: SlotFacts): ModelDiagnosis {
  const { channel, lease, manifest, queue, download, refused, standing, kept, barred } = facts;
  const { model, version } = manifest;
  return {
    ...(download === undefined ? {} : { download }),
    model,
    channel,
    version,
    engine: lease.engine,
    ...(lease.note === undefined ? {} : { note: lease.note }),
    ...engineDiagnosis(lease.check),
    ...(refused === undefined
      ? {}
      : { refused: { version: refused.version, code: refused.code, message: refused.message } }),
    ...(standing?.rollout === undefined ? {} : { rollout: standing.rollout }),
    ...(kept === undefined
      ? {}
      : {
          kept: {
            version: kept.version,
            sizeBytes: kept.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
          },
        }),
    ...(barred === undefined ? {} : { withdrawn: { version, message: barred.message } }),
    variant: lease.variant,
    triedVariants: lease.triedVariants,
    batching: queue.batching,
    calls: queue.diagnose(),
  };
}
