import {
  abortable,
  asModelName,
  digestOf,
  failure,
  toFailure,
  TributaryError,
  type Digest,
  type Env,
  type ModelName,
} from "@tributary/core";
import type { Feeds, Session } from "@tributary/engine";
import { readModelManifest, type ModelManifest } from "@tributary/protocol";
import type { DevicePorts, RunFeeds } from "../device.ts";
import type { EngineProvider, SessionLease } from "../engine-provider.ts";
import { withTensors } from "../images/with-tensors.ts";
import { checkedBatching, type BatchingOptions } from "../inference/batching.ts";
import { createInferenceQueue, type InferenceQueue } from "../inference/inference-queue.ts";
import { readAnswer } from "../inference/read-answer.ts";
import type { ModelDiagnosis, RefusedVersion, VariantName, VersionDownload } from "../diagnosis.ts";
import type { Inference, ModelProgress, ModelState, ModelVariant } from "../runtime.ts";
import type { DeviceStore, InstalledFile, InstalledModel } from "../store/device-store.ts";
import { isOffline } from "../transport/retry.ts";
import type { BlobFetcher } from "./blob-fetcher.ts";
import type { Explanation, ExplainRequest } from "../explain/explanation.ts";
import { lazyPart } from "../lazy-part.ts";
import { engineDiagnosis } from "./engine-diagnosis.ts";
import { engineSetting, formSetting } from "./engine-setting.ts";
import { asForm, type FormLease } from "./form-lease.ts";
import type { ModelRelease, Releases } from "./releases.ts";
import { fetchVersion, type VersionFetch } from "./version-download.ts";
import { basePaths, hasForms, isInstalled, loadedBytes, variantOf, versionFiles } from "./version-files.ts";

/** Only who explains answers loads what does it. */
const explanations = lazyPart("explanations", async () => ({
  ...(await import("../explain/explain.ts")),
  ...(await import("./gradient-session.ts")),
}));

/** It comes beside the files that it puts together. */
const binding = lazyPart("binding of weights", () => import("./bind-version.ts"));

/** Only who has several forms to choose from loads what measures them. */
const formChoices = lazyPart("choice of forms", () => import("./faster-form.ts"));

/** Only an update loads what it has to pass. */
const selfChecks = lazyPart("self-check", () => import("./self-check.ts"));

export interface ModelSlotOptions {
  readonly model: string;
  readonly channel: string;
  readonly variant: ModelVariant;
  readonly releases: Releases;
  readonly blobs: BlobFetcher;
  readonly engines: EngineProvider;
  readonly store: Pick<DeviceStore, "models" | "settings">;
  readonly env: Env;
  /** Decodes and scales images, where the platform can. */
  readonly images?: DevicePorts["images"];
  readonly onProgress: (progress: Omit<ModelProgress, "part">) => void;
  /** After a swap. */
  readonly onRunning: (state: ModelState, previousVersion: number | null) => void;
  /** The version that runs was opened anew after its GPU was lost, maybe on another engine. */
  readonly onMoved: (state: ModelState) => void;
  /** Which blobs it needs, whenever these are others. */
  readonly onNeeds?: ((digests: readonly Digest[]) => void) | undefined;
  /** A version that was verified did not take the place of the one that runs. */
  readonly onRefused?: ((refused: RefusedVersion) => void) | undefined;
  /** A newer version was verified and downloaded, and waits to be applied. */
  readonly onAvailable: (version: number, previousVersion: number) => void;
}

/** A model that is open on this device: one version runs, the next is prepared beside it and swapped in. */
export interface ModelSlot {
  readonly name: ModelName;
  readonly channel: string;
  readonly variant: ModelVariant;
  /** Whether new versions are swapped in by themselves. */
  update: "auto" | "manual";
  /** How its calls share runs. */
  batching: Required<BatchingOptions>;
  /** False until its first version was opened. */
  readonly isRunning: boolean;
  readonly state: ModelState;
  readonly installed: InstalledModel;
  /** The version that runs. @throws `runtime/closed` */
  readonly current: { readonly manifest: ModelManifest; readonly installed: InstalledModel };
  /**
   * Has other weights answer as long as this version runs, where it still is the one that they are for; undefined: the version's own.
   * Runs under way complete.
   */
  setPersonal(form: PersonalForm | undefined): Promise<void>;
  /** Starts the version installed earlier; false where there is none, or it is damaged. */
  startInstalled(signal?: AbortSignal): Promise<boolean>;
  /** Follows the verified metadata to its newest version. Calls run one after the other. */
  follow(signal?: AbortSignal): Promise<void>;
  /** Swaps in the version that waits. */
  apply(): Promise<ModelState>;
  /** @param personal whether weights of the device's own answer, where there are some */
  run(feeds: RunFeeds, signal?: AbortSignal, personal?: boolean): Promise<SlotAnswer>;
  /** What runs now, for as long as `work` takes: it is swapped after that. */
  use<T>(work: (session: Session, manifest: ModelManifest) => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** @throws `runtime/not-explainable` */
  explain(feeds: RunFeeds, request: ExplainRequest, signal?: AbortSignal): Promise<Explanation>;
  diagnose(): ModelDiagnosis;
  /** Blobs that belong to what runs, waits or is being prepared. */
  needed(): readonly Digest[];
  /** Idempotent. Runs under way complete. */
  close(): Promise<void>;
}

/** An answer, and what the graph was fed: images have become tensors. */
export interface SlotAnswer {
  readonly inference: Inference;
  readonly feeds: Feeds;
}

/** A version that is here and does not run yet. */
interface Downloaded {
  readonly release: ModelRelease;
  readonly files: readonly InstalledFile[];
  /** Where more of it comes from. */
  readonly from: VersionFetch;
}

/** A version that is ready to run, and its files: with those of forms that came while it was opened. */
interface Opened {
  readonly lease: FormLease;
  readonly files: readonly InstalledFile[];
}

/** A version with weights of the device's own. */
export interface PersonalForm {
  readonly version: number;
  /** Names what is loaded: equal keys mean equal bytes. */
  readonly key: string;
  readonly model: () => Promise<Uint8Array>;
}

interface Running {
  readonly lease: FormLease;
  readonly queue: InferenceQueue;
  /** What uses the session beside the queue. */
  readonly uses: Set<Promise<unknown>>;
  readonly manifest: ModelManifest;
  readonly installed: InstalledModel;
  /** Undefined where it was installed before. */
  readonly download?: VersionDownload | undefined;
  /** The graph that explains what runs, where the metadata at hand has it. */
  readonly explanation: Digest | undefined;
}

/** Whether trying again changes nothing: the answers are wrong, or of another kind. A lack of memory passes. */
function isFinal(refused: RefusedVersion | undefined): boolean {
  return refused?.code === "runtime/self-check-failed" || refused?.code === "runtime/incompatible-release";
}

/** Once all that was accepted has ended. */
async function idle({ queue, uses }: Running): Promise<void> {
  await queue.idle();
  await Promise.allSettled(uses);
}

export function createModelSlot(options: ModelSlotOptions): ModelSlot {
  const { channel, variant, releases, blobs, engines, store, env } = options;
  const name = asModelName(options.model);
  let running: Running | undefined;
  let personal: (Pick<Running, "queue"> & { readonly lease: SessionLease }) | undefined;
  let waiting: Downloaded | undefined;
  let preparing: readonly Digest[] = [];
  let refused: (RefusedVersion & { readonly manifestDigest: Digest }) | undefined;
  let turn: Promise<unknown> = Promise.resolve();
  let closed = false;
  /** While one version has ended and the next one is not there yet. */
  let between: Promise<void> | undefined;

  const needed = (): Digest[] => {
    const files = [...(running?.installed.files ?? []), ...(waiting?.files ?? [])];
    const explanation = running?.explanation;
    return [
      ...preparing,
      ...files.map(({ digest }) => digest),
      ...(explanation === undefined ? [] : [explanation]),
    ];
  };
  /** From here on no clean-up takes them away, before a version that needs them runs. */
  const prepare = (digests: readonly Digest[]): void => {
    preparing = digests;
    options.onNeeds?.(needed());
  };

  /** Installing and swapping never overlap. */
  const inTurn = <T>(task: () => Promise<T>): Promise<T> => {
    const result = turn.then(task);
    turn = result.catch(() => undefined);
    return result;
  };

  const current = (): Running => {
    if (closed || running === undefined) {
      throw failure("runtime/closed", `model ${name}: it is not open`);
    }
    return running;
  };

  const stateOf = ({ lease, manifest }: Running): ModelState => ({
    model: name,
    channel,
    version: manifest.version,
    engine: lease.engine,
    variant: lease.variant,
    ...(lease.note === undefined ? {} : { note: lease.note }),
    inputs: manifest.inputs,
    outputs: manifest.outputs,
    ...(manifest.labels === undefined ? {} : { labels: manifest.labels }),
    ...(manifest.processing === undefined ? {} : { processing: manifest.processing }),
    ...(waiting === undefined ? {} : { available: waiting.release.manifest.version }),
  });

  /** What a version comes by: deltas from what runs or waits, where these are smaller. */
  const fetchOf = ({ version }: ModelManifest): VersionFetch =>
    fetchVersion({
      releases,
      held: [...(running?.installed.files ?? []), ...(waiting?.files ?? [])],
      onBegin: (files) => prepare([...preparing, ...files.map(({ digest }) => digest)]),
      onProgress: (progress) => options.onProgress({ model: name, version, ...progress }),
    });

  /** The files a version needs, into the cache: also the forms of it that what runs now can use. */
  const download = async (release: ModelRelease, signal: AbortSignal | undefined): Promise<Downloaded> => {
    const { manifest } = release;
    preparing = [];
    const from = fetchOf(manifest);
    const forms =
      running === undefined || !hasForms(manifest, variant)
        ? []
        : (await formChoices.load()).usableForms(manifest, running.lease.engine, engines);
    const paths = [...basePaths(manifest, variant), ...forms.map(({ target }) => target)];
    return { release, files: await from.fetch(paths, signal), from };
  };

  const onMoved = (): void => {
    if (running !== undefined) options.onMoved(stateOf(running));
  };

  const openBase = async (
    manifest: ModelManifest,
    files: readonly InstalledFile[],
    signal: AbortSignal | undefined,
  ): Promise<SessionLease> => {
    const { graph: graphFile, weights: weightsFile } = versionFiles(manifest, files);
    const key = `${graphFile.digest}+${weightsFile.digest}`;
    const setting = engineSetting(files);
    return await engines.openInference({
      key,
      format: manifest.format ?? "onnx",
      model: async () => {
        // What the browser took away, or damaged, is downloaded again.
        const [{ bindVersion }, graph, weights] = await Promise.all([
          binding.load(),
          blobs.fetch({ ...graphFile, signal }),
          blobs.fetch({ ...weightsFile, signal }),
        ]);
        return await bindVersion(manifest, files, graph, weights);
      },
      async sample() {
        // Only a device that has engines to choose from loads it.
        const { sampleFeeds } = await import("@tributary/engine/sample-feeds");
        return sampleFeeds(manifest.inputs, key);
      },
      remembered: await store.settings.read(setting).catch(() => undefined),
      remember: (choice) =>
        store.settings.write(setting, choice).catch((error: unknown) => {
          env.log.warn("a choice of engine could not be kept", { model: name, error: toFailure(error) });
        }),
      onMoved,
      ...(signal === undefined ? {} : { signal }),
    });
  };

  const open = async (
    manifest: ModelManifest,
    files: readonly InstalledFile[],
    signal: AbortSignal | undefined,
    from?: VersionFetch,
  ): Promise<Opened> => {
    const base = await openBase(manifest, files, signal);
    const baseName = variantOf(manifest, files);
    try {
      if (from !== undefined && manifest.selfCheck !== undefined) {
        const { selfCheck } = await selfChecks.load();
        await selfCheck(manifest, baseName === "float32" ? "float32" : "int8", base.session);
      }
      if (!hasForms(manifest, variant)) return { lease: asForm(base, baseName, []), files };
      return await openFastest(base, baseName, manifest, files, signal, from);
    } catch (error) {
      await base.release({ keep: false });
      throw error;
    }
  };

  const openFastest = async (
    base: SessionLease,
    baseName: VariantName,
    manifest: ModelManifest,
    files: readonly InstalledFile[],
    signal: AbortSignal | undefined,
    from: VersionFetch | undefined,
  ): Promise<Opened> => {
    const { fasterForm } = await formChoices.load();
    const setting = formSetting(files);
    const all = [...files];
    const lease = await fasterForm({
      manifest,
      base,
      baseName,
      engines,
      seed: setting,
      clock: env.clock,
      async fileOf(path) {
        const here = all.find(({ target }) => target === path);
        if (here !== undefined) return here;
        if (from === undefined)
          throw failure("store/not-found", `model ${name}: ${path} is not on this device`);
        const [file] = await from.fetch([path], signal);
        all.push(file!);
        return file!;
      },
      read: (file) => blobs.fetch({ ...file, signal }),
      onMoved,
      remembered: await store.settings.read(setting).catch(() => undefined),
      remember: (choice) =>
        store.settings.write(setting, choice).catch((error: unknown) => {
          env.log.warn("a choice of form could not be kept", { model: name, error: toFailure(error) });
        }),
      signal,
    });
    return { lease, files: all };
  };

  const queueOf = ({ session }: SessionLease, { inputs, outputs }: ModelManifest): InferenceQueue =>
    createInferenceQueue({
      run: (feeds) => session.run(feeds),
      inputs,
      outputs,
      batching: () => slot.batching,
      clock: env.clock,
    });

  const explanationOf = async ({ explanation }: ModelManifest): Promise<Digest | undefined> => {
    if (explanation === undefined) return undefined;
    return (await releases.find(explanation.target).catch(() => undefined))?.sha256;
  };

  const swap = async (prepared: Omit<Running, "queue" | "uses" | "explanation">): Promise<void> => {
    const explanation = await explanationOf(prepared.manifest);
    const queue = queueOf(prepared.lease, prepared.manifest);
    const next = { ...prepared, queue, uses: new Set<never>(), explanation };
    if (closed) {
      await next.lease.release();
      throw failure(
        "runtime/closed",
        `model ${name}: closed while version ${next.manifest.version} was loading`,
      );
    }
    const previous = running;
    const own = personal;
    running = next;
    refused = undefined;
    personal = undefined;
    if (waiting !== undefined && waiting.release.manifest.version <= next.manifest.version)
      waiting = undefined;
    options.onNeeds?.(needed());
    options.onRunning(stateOf(next), previous?.manifest.version ?? null);
    // Calls that the old version accepted finish on it.
    await endPersonal(own);
    if (previous !== undefined) await idle(previous);
    await previous?.lease.release();
    if (previous !== undefined) await forgetEngine(previous.installed.files, next.installed.files);
  };

  const endPersonal = async (ended: typeof personal): Promise<void> => {
    await ended?.queue.idle();
    await ended?.lease.release({ keep: false });
  };

  /** Where there is no memory for two versions: calls wait until the old one has made room and the new one is there. */
  const openInPlaceOf = async (
    replaced: Running,
    { release: { manifest }, files, from }: Downloaded,
  ): Promise<Opened> => {
    env.log.info("no memory for two versions; the old one ends before the new one begins", { model: name });
    const own = personal;
    personal = undefined;
    await endPersonal(own);
    await idle(replaced);
    await replaced.lease.release({ keep: false });
    try {
      return await open(manifest, files, undefined, from);
    } catch (error) {
      const { lease } = await open(replaced.manifest, replaced.installed.files, undefined);
      running = { ...replaced, lease, queue: queueOf(lease, replaced.manifest) };
      throw error;
    }
  };

  /** The choice of engine is kept per version; that of a version that is gone is of no use. */
  const forgetEngine = async (
    files: readonly InstalledFile[],
    kept: readonly InstalledFile[],
  ): Promise<void> => {
    const setting = engineSetting(files);
    if (setting === engineSetting(kept)) return;
    for (const gone of [setting, formSetting(files)])
      await store.settings.delete(gone).catch(() => undefined);
  };

  /** The version before goes on. What failed by itself, not by the network, is told, and not tried again before the app starts anew. */
  const refuse = ({ manifest, manifestDigest }: ModelRelease, error: unknown): void => {
    const { code, message } = toFailure(error);
    if (isOffline(error)) return;
    refused = { version: manifest.version, code, message, manifestDigest };
    waiting = undefined;
    options.onRefused?.({ version: manifest.version, code, message });
  };

  const install = async (downloaded: Downloaded, signal: AbortSignal | undefined): Promise<void> => {
    const { release, from } = downloaded;
    const { manifest, manifestBytes, manifestDigest } = release;
    const replaced = running;
    const isRoomy = replaced === undefined || engines.hasRoomFor(loadedBytes(manifest, downloaded.files));
    const gap = isRoomy ? undefined : Promise.withResolvers<void>();
    between = gap?.promise;
    let installed: InstalledModel;
    try {
      if (replaced !== undefined) {
        const { requireSamePorts } = await selfChecks.load();
        requireSamePorts(replaced.manifest, manifest);
      }
      const { lease, files } = isRoomy
        ? await open(manifest, downloaded.files, signal, from)
        : await openInPlaceOf(replaced, downloaded);
      installed = {
        model: name,
        channel,
        version: manifest.version,
        manifest: manifestBytes,
        manifestDigest,
        files,
        installedAtMs: env.clock.now(),
      };
      // Swapped before it is recorded: a crash in between starts the version before, and follows again.
      await swap({ lease, manifest, installed, download: from.came });
    } catch (error) {
      if (replaced !== undefined && !closed && signal?.aborted !== true) refuse(release, error);
      throw error;
    } finally {
      between = undefined;
      gap?.resolve();
    }
    try {
      await store.models.write(installed);
    } catch (error) {
      // A full disk does not keep the new version from running, only from being there at the next start.
      env.log.warn("an installed version could not be recorded", { model: name, error: toFailure(error) });
    }
  };

  const slot: ModelSlot = {
    name,
    channel,
    variant,
    update: "auto",
    batching: checkedBatching(),
    get isRunning() {
      return running !== undefined;
    },
    get state() {
      return stateOf(current());
    },
    get installed() {
      return current().installed;
    },
    get current() {
      return current();
    },
    setPersonal: (form) =>
      inTurn(async () => {
        const { manifest } = current();
        const previous = personal;
        if (form === undefined) personal = undefined;
        else if (form.version !== manifest.version) return;
        else {
          const lease = await engines.openInference({
            key: form.key,
            format: "onnx",
            model: form.model,
            sample: async () =>
              (await import("@tributary/engine/sample-feeds")).sampleFeeds(manifest.inputs, form.key),
          });
          personal = { lease, queue: queueOf(lease, manifest) };
        }
        await endPersonal(previous);
      }),
    startInstalled: (signal) =>
      inTurn(async () => {
        if (running !== undefined) return true;
        try {
          const installed = await store.models.read(name, channel);
          if (installed === undefined) return false;
          if ((await digestOf(installed.manifest)) !== installed.manifestDigest) {
            throw failure("store/corrupt", `model ${name}: the stored manifest does not match its digest`);
          }
          const manifest = await readModelManifest(installed.manifest);
          if (!isInstalled(installed, manifest, variant)) return false;
          prepare(installed.files.map(({ digest }) => digest));
          const { lease } = await open(manifest, installed.files, signal);
          await swap({ lease, manifest, installed });
          return true;
        } catch (error) {
          signal?.throwIfAborted();
          if (closed) throw error;
          env.log.warn("the installed version cannot be started; it is fetched again", {
            model: name,
            error: toFailure(error),
          });
          // An engine that cannot start, or a network that is away, says nothing about the installation.
          if (TributaryError.is(error) && !error.code.startsWith("engine/") && !isOffline(error)) {
            await store.models.delete(name, channel);
          }
          return false;
        }
      }),
    follow(signal) {
      const { update } = this;
      return inTurn(async () => {
        const release = await releases.model(name, channel, signal);
        if (release === undefined) {
          if (running !== undefined) return;
          throw failure(
            "runtime/unknown-model",
            `model ${name}: the release has no channel "${channel}" of it`,
            {
              detail: { model: name, channel },
            },
          );
        }
        const isRunning =
          running !== undefined &&
          release.manifestDigest === running.installed.manifestDigest &&
          isInstalled(running.installed, release.manifest, variant);
        if (isRunning) return;
        if (release.manifestDigest === waiting?.release.manifestDigest) return;
        if (running !== undefined && isFinal(refused) && release.manifestDigest === refused?.manifestDigest)
          return;
        const downloaded = await download(release, signal);
        if (running === undefined || update === "auto") {
          await install(downloaded, signal);
          return;
        }
        waiting = downloaded;
        options.onAvailable(release.manifest.version, running.manifest.version);
      });
    },
    apply: () =>
      inTurn(async () => {
        if (waiting !== undefined) await install(waiting, undefined);
        return stateOf(current());
      }),
    async run(given, signal, usePersonal = true) {
      if (between !== undefined) await abortable(between, signal);
      const prepared = withTensors(current().manifest, given, options.images);
      const feeds = prepared instanceof Promise ? await prepared : prepared;
      // Whatever runs now: how a model is fed does not change from version to version.
      const { queue, manifest } = current();
      const own = usePersonal ? personal : undefined;
      const answer = readAnswer(manifest, await (own?.queue ?? queue).run(feeds, signal));
      return { inference: own === undefined ? answer : { ...answer, personal: true }, feeds };
    },
    async use(work, signal) {
      if (between !== undefined) await abortable(between, signal);
      const { lease, manifest, uses } = current();
      const use = work(lease.session, manifest);
      uses.add(use);
      try {
        return await use;
      } finally {
        uses.delete(use);
      }
    },
    async explain(given, request, signal) {
      if (between !== undefined) await abortable(between, signal);
      const { explain, openGradients } = await explanations.load();
      const { manifest, queue, installed } = current();
      const feeds = await withTensors(manifest, given, options.images);
      return await explain({
        manifest,
        feeds,
        request,
        run: async (row) => (await queue.run(row, signal)).outputs,
        openGradients: () =>
          openGradients({
            manifest,
            path: manifest.explanation!.target,
            installed,
            releases,
            blobs,
            engines,
            signal,
          }),
        signal,
      });
    },
    diagnose() {
      const { lease, manifest, queue, download: came } = current();
      return {
        ...(came === undefined ? {} : { download: came }),
        model: name,
        channel,
        version: manifest.version,
        engine: lease.engine,
        ...(lease.note === undefined ? {} : { note: lease.note }),
        ...engineDiagnosis(lease.check),
        ...(refused === undefined
          ? {}
          : { refused: { version: refused.version, code: refused.code, message: refused.message } }),
        variant: lease.variant,
        triedVariants: lease.triedVariants,
        batching: queue.batching,
        calls: queue.diagnose(),
      };
    },
    needed,
    async close() {
      if (closed) return;
      closed = true;
      await inTurn(async () => {
        await endPersonal(personal);
        personal = undefined;
        if (running !== undefined) await idle(running);
        await running?.lease.release();
        running = waiting = undefined;
        prepare([]);
      });
    },
  };
  return slot;
}
