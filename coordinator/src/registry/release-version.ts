import { failure, type Env, type ModelName, type ModelVersion } from "@tributary/core";
import type { AuditActor } from "@tributary/protocol";
import { channelMoved } from "../audit/records.ts";
import type { BlobStore } from "../ports/blob-store.ts";
import type { Bus } from "../ports/bus.ts";
import type { MetadataRepositories, MetadataStore } from "../ports/metadata-store.ts";
import type { ModelRecord, NewEvent, ReleaseChange, VersionRecord } from "../ports/records.ts";
import { channelTargets } from "../releases/model-targets.ts";
import { weightsPath } from "../releases/target-paths.ts";
import type { Releases } from "../rooms.ts";
import { releaseDeltas } from "./version-deltas.ts";
import { versionEvent } from "./views.ts";

export interface ReleaseServices {
  readonly store: MetadataStore;
  readonly blobs: BlobStore;
  readonly bus: Pick<Bus, "publish">;
  readonly env: Env;
  readonly releases: Pick<Releases, "release">;
}

/**
 * Moves a model's channel to one of its versions, newer or older: inference devices run it from here on. Training goes on from
 * the newest version.
 *
 * @throws `coordinator/unknown-model`, `coordinator/unknown-version` also where its weights have left the release
 */
export async function releaseVersion(
  services: ReleaseServices,
  asked: { readonly model: ModelName; readonly version: ModelVersion; readonly by: AuditActor },
): Promise<VersionRecord> {
  const { store } = services;
  const { model: name, version, by } = asked;
  const model = await store.models.get(name);
  if (model === undefined)
    throw failure("coordinator/unknown-model", `registry: no model "${name}"`, { detail: { model: name } });
  const record = await store.versions.get(name, version);
  const weights = await store.releases.target(weightsPath(name, version));
  if (record === undefined || weights === undefined) {
    const why =
      record === undefined ? "there is none" : "its weights have left the release, publish it again";
    throw failure("coordinator/unknown-version", `registry: version ${version} of "${name}": ${why}`, {
      detail: { model: name, version },
    });
  }
  const at = services.env.clock.now();
  return moveChannel(services, { model, version: record, at, by }, async (_, released) => [
    versionEvent(released),
  ]);
}

/**
 * Signs the channel's new manifest, stores it in one transaction with what `also` writes, and tells devices.
 *
 * @param also gets the version as it is stored then, and gives the events
 */
export async function moveChannel(
  services: ReleaseServices,
  moved: {
    readonly model: ModelRecord;
    readonly version: VersionRecord;
    readonly at: number;
    readonly by: AuditActor;
  },
  also: (tx: MetadataRepositories, released: VersionRecord) => Promise<readonly NewEvent[]>,
): Promise<VersionRecord> {
  const { store, blobs, bus, env, releases } = services;
  const { model, version, at, by } = moved;
  const released = { ...version, releasedAt: at };
  const manifest = channelTargets(model, released);
  await blobs.put(manifest.bytes);
  const put = [...manifest.changes.put, ...(await releaseDeltas(services, released))];
  const { events, timestampVersion } = await releases.release({ put }, async (change) => ({
    events: await store.transaction(async (tx) => {
      await tx.releases.apply(change);
      await tx.models.release(model.name, version.version, at);
      const told = await also(tx, released);
      await tx.audit.append([channelMoved(by, model, released)], at);
      return tx.events.append(told, at);
    }),
    timestampVersion: timestampOf(change),
  }));
  env.log.info("registry: version released", { model: model.name, version: version.version });
  await bus.publish("release", {
    model: model.name,
    channel: model.channel,
    version: version.version,
    timestampVersion,
    committedAt: env.clock.now(),
  });
  for (const event of events) await bus.publish("event", event);
  return released;
}

function timestampOf({ metadata }: ReleaseChange): number {
  return metadata.find(({ role }) => role === "timestamp")?.version ?? 0;
}
