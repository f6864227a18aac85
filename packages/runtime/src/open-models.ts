import { abortable, failure, type Digest, type Env } from "@tributary/core";
import type { CallOptions, DevicePorts, OpenModelRequest } from "./device.ts";
import type { DeviceEvents } from "./device-events.ts";
import type { RefusedVersion } from "./diagnosis.ts";
import type { EngineProvider } from "./engine-provider.ts";
import type { ModelState } from "./runtime.ts";
import type { DeviceStore } from "./store/device-store.ts";
import { isOffline, withRetries } from "./transport/retry.ts";
import { keptBaseWeights } from "./updater/base-weights-setting.ts";
import type { BlobFetcher } from "./updater/blob-fetcher.ts";
import type { BlobHolds } from "./updater/blob-holds.ts";
import { createModelSlot } from "./updater/model-slot.ts";
import type { ModelSlot } from "./updater/slot-types.ts";
import type { ModelSpace } from "./updater/model-space.ts";
import type { Releases } from "./updater/releases.ts";
import type { TrialRecord } from "./updater/trial.ts";

export interface OpenModelsOptions {
  readonly releases: Releases;
  readonly blobs: BlobFetcher;
  readonly engines: EngineProvider;
  readonly images?: DevicePorts["images"];
  readonly store: DeviceStore;
  readonly events: DeviceEvents;
  readonly env: Env;
  /** Aborts when the device closes. */
  readonly closing: AbortSignal;
  /** Blobs that something else still needs. */
  readonly pinned: () => Iterable<string>;
  readonly space: Pick<ModelSpace, "used">;
  /** Where others share the store. */
  readonly holds?: BlobHolds | undefined;
  /** A model was opened, or its version changed. */
  readonly onRunning: (state: ModelState, appliedAfterMs: number | null) => void;
  /** A version did not take the place of the one that runs. */
  readonly onRefused: (model: string, refused: RefusedVersion) => void;
  /** The process before this one ended by a version of a model. */
  readonly onDied: (model: string, died: Pick<TrialRecord, "version" | "engine">) => void;
}

/** The models that are open on a device, each once however many handles there are. */
export interface OpenModels {
  open(request: OpenModelRequest, options: CallOptions): Promise<ModelState>;
  close(model: string): Promise<void>;
  /** @throws `runtime/unknown-model` */
  slot(model: string): ModelSlot;
  readonly slots: readonly ModelSlot[];
  /** Of those that run; a model that is still being opened has none. */
  states(): readonly ModelState[];
  /** Looks for new versions of all, in the background; keeps trying while the network is bad. */
  followAll(): void;
  /** A release was pushed. */
  released(model: string, channel: string, timestampVersion: number): void;
  /** Whether a blob belongs to what runs, waits, is being prepared, or is pinned. */
  needs(digest: string): boolean;
  /** Removes blobs that nothing needs any more, in the background. */
  tidy(): void;
  /** Settles when nothing is under way. */
  settled(): Promise<void>;
  closeAll(): Promise<void>;
}

/** Whatever is newest, where no timestamp version was announced. */
const ANY = 0;

interface OpenModel {
  readonly slot: ModelSlot;
  /** Timestamp version that is being followed. */
  wanted: number | undefined;
  readonly opened: Promise<void>;
  handles: number;
  /** When the release that is being followed was pushed. */
  pushedAtMs: number | undefined;
}

export function createOpenModels(options: OpenModelsOptions): OpenModels {
  const { releases, events, env, closing } = options;
  const models = new Map<string, OpenModel>();
  const underWay = new Set<Promise<unknown>>();

  /** Work that nobody waits for, but `closeAll` does. */
  const background = (work: () => Promise<void>): void => {
    const running = work().catch((error: unknown) => {
      if (!closing.aborted) events.problem(error);
    });
    underWay.add(running);
    void running.then(() => underWay.delete(running));
  };

  const needs = (digest: string): boolean => {
    for (const pinned of options.pinned()) if (pinned === digest) return true;
    return [...models.values()].some(({ slot }) => slot.needed().includes(digest as Digest));
  };

  const holdPinned = (): void => options.holds?.hold("pinned", [...options.pinned()] as Digest[]);
  // What a task needs is known when the device checks in.
  events.subscribe((event) => {
    if (event.type === "participation" && event.event.type === "checked-in") holdPinned();
  });

  const prune = async (): Promise<void> => {
    holdPinned();
    // A version that is prepared now is recorded a moment later, and its model may be closed before this is over.
    const needed = new Set<string>([...models.values()].flatMap(({ slot }) => slot.needed()));
    const held = await options.holds?.held();
    const installed = await options.store.models.list();
    const files = [
      ...installed.flatMap(({ files: own, previous }) => [...own, ...(previous?.files ?? [])]),
      ...(await keptBaseWeights(options.store.settings)),
    ];
    const recorded = new Set<string>(files.map(({ digest }) => digest));
    await options.blobs.prune(
      (digest) => needed.has(digest) || recorded.has(digest) || needs(digest) || held?.has(digest) === true,
    );
  };

  /** Goes after the newest release until it runs; what is asked meanwhile is part of the same pursuit. */
  const follow = (open: OpenModel, timestampVersion: number): void => {
    const busy = open.wanted !== undefined;
    open.wanted = Math.max(open.wanted ?? 0, timestampVersion);
    if (busy) return;
    background(async () => {
      try {
        for (let reached = -1; open.wanted !== undefined && reached < open.wanted;) {
          const { wanted } = open;
          await withRetries({ env, signal: closing, attempts: 20 }, async () => {
            if (wanted === ANY) await releases.refresh(closing);
            else await releases.atLeast(wanted, closing);
            await open.slot.follow(closing);
          });
          reached = wanted;
        }
      } finally {
        open.wanted = undefined;
      }
    });
  };

  const create = ({ model, channel, variant = "auto" }: OpenModelRequest): ModelSlot =>
    createModelSlot({
      model,
      channel,
      variant,
      releases,
      blobs: options.blobs,
      engines: options.engines,
      images: options.images,
      store: options.store,
      env,
      onProgress: (progress) => events.emit({ type: "progress", part: "model", ...progress }),
      onAvailable(version, previousVersion) {
        events.emit({ type: "update-available", model, version, previousVersion });
        // A version that waited before, and was never applied, is not needed any more.
        background(prune);
      },
      onRefused(refused) {
        events.emit({ type: "update-refused", model, ...refused });
        options.onRefused(model, refused);
        background(prune);
      },
      holds: options.holds,
      onDied: (died) => options.onDied(model, died),
      onLessNeeded: () => background(prune),
      onMoved: (state) => events.emit({ type: "engine-changed", model, state }),
      onNeeds: (digests) => options.holds?.hold(`model ${model}`, digests),
      onRunning(state, previousVersion) {
        const open = models.get(model);
        const pushedAtMs = open?.pushedAtMs;
        if (open !== undefined) open.pushedAtMs = undefined;
        const appliedAfterMs =
          pushedAtMs === undefined ? null : Math.round(env.clock.monotonicMs() - pushedAtMs);
        const { version } = state;
        events.emit({ type: "running", model, version, previousVersion, appliedAfterMs, state });
        options.onRunning(state, appliedAfterMs);
        background(() => options.space.used(model, channel));
        background(prune);
      },
    });

  const start = async (slot: ModelSlot): Promise<boolean> => {
    // What is installed was verified when it came, under a root that may not be this one: it has to vouch for it still.
    const vouched = await releases.load().catch(() => false);
    if (vouched && (await slot.startInstalled(closing))) return true;
    try {
      await releases.refresh();
      await slot.follow(closing);
      return false;
    } catch (error) {
      if (!isOffline(error)) throw error;
      if (await releases.adoptSeed(slot.name)) {
        await slot.follow(closing);
        return true;
      }
      if (slot.barred !== undefined) throw slot.barred;
      throw failure(
        "runtime/offline",
        `model ${slot.name}: the coordinator cannot be reached and no version is installed here`,
        { cause: error },
      );
    }
  };

  return {
    async open(request, { signal } = {}) {
      let open = models.get(request.model);
      if (open !== undefined && open.slot.channel !== request.channel) {
        throw failure(
          "runtime/unknown-model",
          `model ${request.model}: channel "${open.slot.channel}" is open; close it before opening "${request.channel}"`,
        );
      }
      if (open !== undefined && request.variant !== undefined && open.slot.variant !== request.variant) {
        throw failure(
          "runtime/other-variant",
          `model ${request.model}: it is open as variant "${open.slot.variant}", asked for "${request.variant}"; close it first`,
          { detail: { model: request.model, open: open.slot.variant, asked: request.variant } },
        );
      }
      if (open === undefined) {
        const slot = create(request);
        const created: OpenModel = {
          slot,
          handles: 0,
          wanted: undefined,
          pushedAtMs: undefined,
          opened: start(slot).then(
            (fromStore) => {
              // What ran last time answers at once; whether there is something newer shows in a moment.
              if (fromStore) follow(created, ANY);
            },
            async (error: unknown) => {
              if (models.get(request.model) === created) models.delete(request.model);
              await slot.close();
              throw error;
            },
          ),
        };
        created.opened.catch(() => undefined);
        models.set(request.model, created);
        open = created;
      }
      open.slot.update = request.update;
      if (request.batching !== undefined) open.slot.batching = request.batching;
      open.handles += 1;
      try {
        await abortable(open.opened, signal);
      } catch (error) {
        open.handles -= 1;
        if (open.handles === 0 && models.get(request.model) === open) {
          models.delete(request.model);
          background(() => open.slot.close());
        }
        throw error;
      }
      return open.slot.state;
    },
    async close(model) {
      const open = models.get(model);
      if (open === undefined) return;
      open.handles -= 1;
      if (open.handles > 0) return;
      models.delete(model);
      await open.slot.close();
      await options.space.used(model, open.slot.channel);
    },
    slot(model) {
      const open = models.get(model);
      if (open !== undefined) return open.slot;
      throw failure(
        "runtime/unknown-model",
        `model ${model}: it is not open; call runtime.model("${model}") first`,
        {
          detail: { model },
        },
      );
    },
    get slots() {
      return [...models.values()].map(({ slot }) => slot);
    },
    states() {
      return this.slots.filter(({ isRunning }) => isRunning).map(({ state }) => state);
    },
    followAll() {
      for (const open of models.values()) follow(open, ANY);
    },
    released(model, channel, timestampVersion) {
      const open = models.get(model);
      if (open === undefined || open.slot.channel !== channel) return;
      open.pushedAtMs = env.clock.monotonicMs();
      follow(open, timestampVersion);
    },
    needs,
    tidy: () => background(prune),
    async settled() {
      while (underWay.size > 0) await Promise.all(underWay);
    },
    async closeAll() {
      const open = [...models.values()];
      models.clear();
      await Promise.all(open.map(({ slot }) => slot.close()));
      while (underWay.size > 0) await Promise.all(underWay);
    },
  };
}
