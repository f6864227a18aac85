import { failure, type Env, type ModelName, type ModelVersion } from "@tributary/core";
import { MAX_CHANNELS, STABLE_CHANNEL, type AuditActor } from "@tributary/protocol";
import { channelMoved } from "../audit/records.ts";
import type { BlobStore } from "../ports/blob-store.ts";
import type { Bus } from "../ports/bus.ts";
import type { MetadataRepositories, MetadataStore } from "../ports/metadata-store.ts";
import type { NewEvent } from "../ports/event-records.ts";
import type { ModelRecord, VersionRecord } from "../ports/model-records.ts";
import type { ReleaseChange } from "../ports/release-records.ts";
import { channelTargets } from "../releases/model-targets.ts";
import { manifestPath } from "../releases/target-paths.ts";
import { requireNoRollout, requireNotBarred } from "../rollouts/barred-versions.ts";
import type { Releases } from "../rooms.ts";
import { requireOffered } from "./offered-version.ts";
import { releaseDeltas } from "./version-deltas.ts";
import { channelEvent, timestamp, versionEvent } from "./views.ts";

export interface ReleaseServices {
  readonly store: MetadataStore;
  readonly blobs: BlobStore;
  readonly bus: Pick<Bus, "publish">;
  readonly env: Env;
  readonly releases: Pick<Releases, "release">;
}

/**
 * Moves a channel of a model to one of its versions, newer or older: devices that ask for the channel run it from here on.
 * A channel that is not there is made. Training goes on from the newest version.
 *
 * @throws `coordinator/unknown-model`, `coordinator/unknown-version`, `coordinator/version-retired`, `coordinator/too-many-channels`,
 *   `coordinator/rollout-running`, `coordinator/version-withdrawn`
 */
export async function releaseVersion(
  services: ReleaseServices,
  asked: {
    readonly model: ModelName;
    readonly version: ModelVersion;
    readonly channel: string;
    readonly by: AuditActor;
    readonly also?: ((tx: MetadataRepositories, at: number) => Promise<void>) | undefined;
  },
): Promise<VersionRecord> {
  const { store } = services;
  const { model: name, version, channel, by, also } = asked;
  const model = await requireModel(store, name);
  const record = await requireOffered(store, name, version);
  await requireNotBarred(store, name, version);
  await requireNoRollout(store, name, channel);
  const channels = await store.channels.list(name);
  if (channels.length >= MAX_CHANNELS && channels.every((each) => each.name !== channel))
    throw failure(
      "coordinator/too-many-channels",
      `registry: "${name}" has ${channels.length} channels, at most ${MAX_CHANNELS} are kept; remove one before "${channel}" is made`,
      { detail: { model: name, channel, maxChannels: MAX_CHANNELS } },
    );
  const at = services.env.clock.now();
  return moveChannel(services, { model, channel, version: record, at, by }, async (tx, released) => {
    await also?.(tx, at);
    return [
      channel === STABLE_CHANNEL
        ? versionEvent(released)
        : channelEvent({ model: name, name: channel, version, at: timestamp(at) }),
    ];
  });
}

/**
 * Signs a channel's new manifest, stores it in one transaction with what `also` writes, and tells devices.
 *
 * @param also gets the version as it is stored then, and gives the events
 */
export async function moveChannel(
  services: ReleaseServices,
  moved: {
    readonly model: ModelRecord;
    readonly channel: string;
    readonly version: VersionRecord;
    readonly at: number;
    readonly by: AuditActor;
  },
  also: (tx: MetadataRepositories, released: VersionRecord) => Promise<readonly NewEvent[]>,
): Promise<VersionRecord> {
  const { store, blobs, bus, env, releases } = services;
  const { model, channel, version, at, by } = moved;
  const released = channel === STABLE_CHANNEL ? { ...version, releasedAt: at } : version;
  const manifest = channelTargets(model, released, channel);
  await blobs.put(manifest.bytes);
  const put = [...manifest.changes.put, ...(await releaseDeltas(services, released, channel))];
  const { events, timestampVersion } = await releases.release({ put }, async (change) => ({
    events: await store.transaction(async (tx) => {
      await tx.releases.apply(change);
      await tx.channels.move({
        model: model.name,
        name: channel,
        version: version.version,
        releasedAt: at,
      });
      const told = await also(tx, released);
      await tx.audit.append([channelMoved(by, channel, released)], at);
      return tx.events.append(told, at);
    }),
    timestampVersion: timestampOf(change),
  }));
  env.log.info("registry: version released", { model: model.name, version: version.version, channel });
  await bus.publish("release", {
    model: model.name,
    channel,
    version: version.version,
    timestampVersion,
    committedAt: env.clock.now(),
  });
  for (const event of events) await bus.publish("event", event);
  return released;
}

/**
 * Takes a channel out of the release: devices on it stay on the version that they run, and new ones find none.
 *
 * @throws `coordinator/unknown-model`, `coordinator/unknown-channel`, `coordinator/channel-fixed` for stable
 */
export async function removeChannel(
  { store, bus, env, releases }: Omit<ReleaseServices, "blobs">,
  removed: { readonly model: ModelName; readonly channel: string; readonly by: AuditActor },
): Promise<void> {
  const { model, channel, by } = removed;
  await requireModel(store, model);
  if (channel === STABLE_CHANNEL)
    throw failure("coordinator/channel-fixed", `registry: "${model}" keeps its channel "${channel}"`, {
      detail: { model, channel },
    });
  if ((await store.channels.get(model, channel)) === undefined) throw unknownChannel(model, channel);
  const at = env.clock.now();
  const remove = [manifestPath(model, channel)];
  const events = await releases.release({ put: [], remove }, (change) =>
    store.transaction(async (tx) => {
      const head = await tx.channels.get(model, channel);
      if (head === undefined) throw unknownChannel(model, channel);
      await tx.channels.remove(model, channel);
      await tx.releases.apply(change);
      const object = { model, version: head.version, channel };
      await tx.audit.append([{ actor: by, action: "channel.remove", object }], at);
      return tx.events.append([channelEvent({ model, name: channel, version: null, at: timestamp(at) })], at);
    }),
  );
  env.log.info("registry: channel removed", { model, channel });
  for (const event of events) await bus.publish("event", event);
}

/** @throws `coordinator/unknown-model` */
export async function requireModel(
  { models }: Pick<MetadataStore, "models">,
  name: ModelName,
): Promise<ModelRecord> {
  const model = await models.get(name);
  if (model !== undefined) return model;
  throw failure("coordinator/unknown-model", `registry: no model "${name}"`, { detail: { model: name } });
}

export function unknownChannel(model: ModelName, channel: string): Error {
  return failure("coordinator/unknown-channel", `registry: "${model}" has no channel "${channel}"`, {
    detail: { model, channel },
  });
}

function timestampOf({ metadata }: ReleaseChange): number {
  return metadata.find(({ role }) => role === "timestamp")?.version ?? 0;
}
