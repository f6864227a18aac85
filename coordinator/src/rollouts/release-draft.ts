import { failure, type ModelVersion, type TaskName } from "@tributary/core";
import { STABLE_CHANNEL, type AuditActor } from "@tributary/protocol";
import { channelMoved } from "../audit/records.ts";
import type { BlobStore } from "../ports/blob-store.ts";
import type { MetadataRepositories, MetadataStore } from "../ports/metadata-store.ts";
import type { NewEvent } from "../ports/event-records.ts";
import type { ChannelRecord, ModelRecord, VersionRecord, WithdrawalRecord } from "../ports/model-records.ts";
import type { TargetRecord } from "../ports/release-records.ts";
import type { RolloutRecord } from "../ports/rollout-records.ts";
import { channelTargets, type TargetDocument } from "../releases/model-targets.ts";
import { releaseDeltas, type DeltaServices } from "../registry/version-deltas.ts";
import { channelEvent, timestamp, versionEvent } from "../registry/views.ts";
import type { TargetChanges } from "../rooms.ts";
import { armTargets, endedPaths, rolloutDocument, withdrawnDocument } from "./rollout-targets.ts";

type Write = (tx: MetadataRepositories, at: number) => Promise<readonly NewEvent[]>;

/** What is to be signed together, and stored with it in one transaction. */
export interface ReleaseDraft {
  readonly model: ModelRecord;
  /** Nothing of the release changes. */
  readonly isEmpty: boolean;
  /** Tasks that were paused with it; to be told once it is stored. */
  readonly paused: TaskName[];
  publish(rollout: RolloutRecord): void;
  /** The manifest of an arm. */
  arm(rollout: RolloutRecord, name: string, version: VersionRecord): Promise<void>;
  end(rollout: RolloutRecord): void;
  withdraw(record: WithdrawalRecord): void;
  /** @throws `coordinator/unknown-version` */
  move(channel: string, version: ModelVersion): Promise<void>;
  also(write: Write): void;
  changes(): Promise<TargetChanges>;
  /** Everything that `also` and the moves of channels write. */
  write: Write;
  /** Channels whose devices have to look again, and what those point to. */
  told(): Promise<readonly ChannelRecord[]>;
}

export async function createReleaseDraft(
  services: DeltaServices & { readonly store: MetadataStore; readonly blobs: BlobStore },
  model: ModelRecord,
  by: AuditActor,
): Promise<ReleaseDraft> {
  const { store, blobs } = services;
  const documents: TargetDocument[] = [];
  const late: (() => Promise<TargetDocument>)[] = [];
  const put: TargetRecord[] = [];
  const remove: string[] = [];
  const writes: Write[] = [];
  const withdrawals = await store.withdrawals.list(model.name);
  const fresh: WithdrawalRecord[] = [];

  return {
    model,
    paused: [],
    get isEmpty() {
      return documents.length + late.length + put.length + remove.length + fresh.length === 0;
    },
    publish(rollout) {
      late.push(() => rolloutDocument(rollout));
    },
    async arm(rollout, name, version) {
      documents.push(armTargets(model, version, rollout, name));
      put.push(...(await releaseDeltas(services, version, rollout.channel)));
    },
    end(rollout) {
      remove.push(...endedPaths(rollout));
    },
    withdraw(record) {
      fresh.push(record);
    },
    async move(channel, version) {
      const record = await store.versions.get(model.name, version);
      if (record === undefined)
        throw failure("coordinator/unknown-version", `rollouts: "${model.name}" has no version ${version}`, {
          detail: { model: model.name, version },
        });
      documents.push(channelTargets(model, record, channel));
      put.push(...(await releaseDeltas(services, record, channel)));
      writes.push(async (tx, at) => {
        await tx.channels.move({ model: model.name, name: channel, version, releasedAt: at });
        await tx.audit.append([channelMoved(by, channel, record)], at);
        return [
          channel === STABLE_CHANNEL
            ? versionEvent({ ...record, releasedAt: at })
            : channelEvent({ model: model.name, name: channel, version, at: timestamp(at) }),
        ];
      });
    },
    also(write) {
      writes.push(write);
    },
    async changes() {
      const all = [...documents];
      for (const make of late) all.push(await make());
      if (fresh.length > 0) all.push(withdrawnDocument(model.name, [...withdrawals, ...fresh]));
      for (const { bytes } of all) await blobs.put(bytes);
      return { put: [...all.flatMap(({ changes }) => changes.put), ...put], remove };
    },
    async write(tx, at) {
      const events: NewEvent[] = [];
      for (const each of writes) events.push(...(await each(tx, at)));
      return events;
    },
    // A document of the model changed: devices on any of its channels may be concerned.
    told: () => store.channels.list(model.name),
  };
}
