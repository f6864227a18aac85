import { encodeHex } from "@tributary/core";
import { trainingMetrics } from "@tributary/metrics";
import { parseMeasurementPlan, PrivacyView, TaskNameSchema, TaskPrivacy } from "@tributary/protocol";
import Type from "typebox";
import type { ResolvedConfig } from "../config.ts";
import { signedLogHead } from "../enrolment/certificate-log.ts";
import { HEALTH_KEPT_MS, JOURNAL_KEPT_MS } from "../housekeeping.ts";
import type { App } from "../http/app.ts";
import type { BlobStore } from "../ports/blob-store.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { TaskRecord } from "../ports/task-records.ts";
import type { Registry } from "../registry/registry.ts";
import { LOOKED_AT, taskPrivacy } from "./task-privacy.ts";

export interface PrivacyRouteOptions {
  readonly config: Pick<ResolvedConfig, "issuer" | "name" | "keepAggregates">;
  readonly store: MetadataStore;
  readonly blobs: Pick<BlobStore, "bytes">;
  readonly registry: Pick<Registry, "task">;
  readonly issuerPublicKey: Uint8Array;
}

const DAY_MS = 86_400_000;
const tags = ["operator"];

/** What is learned of people's devices: of all, and of those of a task. */
export function registerPrivacyRoutes(app: App, options: PrivacyRouteOptions): void {
  const { config, store, registry, blobs } = options;

  app.get(
    "/v1/privacy",
    {
      schema: {
        summary: "What is known of devices, who vouches for them, what is kept and for how long",
        tags,
        response: { 200: PrivacyView },
      },
    },
    async () => {
      const size = await store.certificateLog.size();
      const signed = await signedLogHead(store);
      const [newest] = await store.audit.list({ action: "device.erase" }, { limit: 1 });
      return {
        issuer: {
          kind: config.issuer === undefined ? ("coordinator" as const) : ("outside" as const),
          name: config.issuer?.name ?? config.name,
          publicKey: encodeHex(options.issuerPublicKey),
          certificates: size,
        },
        certificateLog: {
          size,
          signed:
            signed === undefined
              ? null
              : {
                  size: signed.treeSize,
                  rootHash: signed.rootHash,
                  timestampVersion: signed.timestampVersion,
                },
        },
        devices: {
          enrolled: await store.devices.count(),
          tellingHealth: await store.deviceHealth.countDevices(),
        },
        erasures: {
          requests: await store.audit.count("device.erase"),
          newestAt: newest === undefined ? null : newest.at,
        },
        retention: {
          journalDays: JOURNAL_KEPT_MS / DAY_MS,
          healthDays: HEALTH_KEPT_MS / DAY_MS,
          keepsAggregates: config.keepAggregates,
        },
      };
    },
  );

  app.get(
    "/v1/tasks/:task/privacy",
    {
      schema: {
        summary: "What the rounds of a task hid, and what they did not",
        tags,
        params: Type.Object({ task: TaskNameSchema }),
        response: { 200: TaskPrivacy },
      },
    },
    async ({ params }) => {
      const task = await registry.task(params.task);
      const rounds = await store.rounds.summed(task.name, LOOKED_AT);
      return taskPrivacy(task, rounds, await metricsOf(blobs, task));
    },
  );
}

/** Names of what devices count for a task, and for its gate. */
async function metricsOf(
  blobs: PrivacyRouteOptions["blobs"],
  { spec, plan, gatePlan }: TaskRecord,
): Promise<string[]> {
  const trains = spec.kind === "train";
  const measuring = trains ? gatePlan : plan;
  const measured =
    measuring === null
      ? []
      : parseMeasurementPlan(await blobs.bytes(measuring.digest)).metrics.map(({ name }) => name);
  return [...(trains ? Object.keys(trainingMetrics.specs) : []), ...measured];
}
