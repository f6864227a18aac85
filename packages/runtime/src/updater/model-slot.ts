import {
  abortable,
  asModelName,
  digestOf,
  failure,
  toFailure,
  TributaryError,
  type Digest,
} from "@tributary/core";
import { readModelManifest, type ModelManifest } from "@tributary/protocol";
import type { RefusedVersion, VersionDownload } from "../diagnosis.ts";
import type { SessionLease } from "../engine-provider.ts";
import { withTensors } from "../images/with-tensors.ts";
import { checkedBatching } from "../inference/batching.ts";
import { createInferenceQueue, type InferenceQueue } from "../inference/inference-queue.ts";
import { readAnswer } from "../inference/read-answer.ts";
import { lazyPart } from "../lazy-part.ts";
import type { ModelState } from "../runtime.ts";
import type { InstalledFile, InstalledModel, InstalledVersion } from "../store/device-store.ts";
import { isOffline } from "../transport/retry.ts";
import { engineSetting, formSetting } from "./engine-setting.ts";
import type { FormLease } from "./form-lease.ts";
import type { ModelRelease } from "./releases.ts";
import { trialSetting, withdrawnSetting } from "./rollout-settings.ts";
import type { ModelSlot, ModelSlotOptions } from "./slot-types.ts";
import type { Standing } from "./standing.ts";
import type { Trial } from "./trial.ts";
import { formChoices, newVersions } from "./update-parts.ts";
import { fetchVersion, type VersionFetch } from "./version-download.ts";
import { basePaths, hasForms, isInstalled, loadedBytes } from "./version-files.ts";
import { createVersionOpener, type Opened } from "./version-opener.ts";

/** Only who explains answers loads what does it. */
const explanations = lazyPart("explanations", async () => ({
  ...(await import("../explain/explain.ts")),
  ...(await import("./gradient-session.ts")),
}));

/** A version that is here and does not run yet. */
interface Downloaded {
  readonly release: ModelRelease;
  readonly files: readonly InstalledFile[];
  /** Where more of it comes from. */
  readonly from: VersionFetch;
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
  /** Until it has answered once here. */
  readonly trial: Trial | undefined;
}

/** Whether trying again changes nothing: the answers are wrong, or of another kind. A lack of memory passes. */
function isFinal(refused: RefusedVersion | undefined): boolean {
  const code = refused?.code;
  return (
    code === "runtime/self-check-failed" ||
    code === "runtime/incompatible-release" ||
    code === "runtime/too-old" ||
    code === "runtime/version-crashed"
  );
}

/** Once all that was accepted has ended. */
async function idle({ queue, uses }: Running): Promise<void> {
  await queue.idle();
  await Promise.allSettled(uses);
}

export function createModelSlot(options: ModelSlotOptions): ModelSlot {
  const { channel, variant, releases, blobs, engines, store, env, holds, onDied } = options;
  const name = asModelName(options.model);
  let running: Running | undefined;
  let personal: (Pick<Running, "queue"> & { readonly lease: SessionLease }) | undefined;
  let waiting: Downloaded | undefined;
  let preparing: readonly Digest[] = [];
  let refused: (RefusedVersion & { readonly manifestDigest: Digest }) | undefined;
  let turn: Promise<unknown> = Promise.resolve();
  let closed = false;
  /** While one version has ended, or is not to answer any more, and the next one is not there yet. */
  let between: Promise<void> | undefined;
  /** What ran before, as long as the device may have to go back to it. */
  let kept: InstalledVersion | undefined;
  let standing: Standing | undefined;
  let withdrawn: Standing["withdrawn"] = [];
  let barred: TributaryError | undefined;
  /** What runs is what the channel points to for all. */
  let isSettled = false;

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

  /** What may be asked. */
  const answering = (): Running => {
    if (barred !== undefined) throw barred;
    return current();
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

  const open = createVersionOpener({
    model: name,
    variant,
    blobs,
    engines,
    store,
    env,
    onMoved() {
      if (running !== undefined) options.onMoved(stateOf(running));
    },
  });

  const queueOf = (
    { session }: SessionLease,
    { inputs, outputs }: ModelManifest,
    trial?: Trial,
  ): InferenceQueue =>
    createInferenceQueue({
      run: (feeds) =>
        trial === undefined || trial.isOver ? session.run(feeds) : onTrial(trial, () => session.run(feeds)),
      inputs,
      outputs,
      batching: () => slot.batching,
      clock: env.clock,
    });

  const explanationOf = async ({ explanation }: ModelManifest): Promise<Digest | undefined> => {
    if (explanation === undefined) return undefined;
    return (await releases.find(explanation.target).catch(() => undefined))?.sha256;
  };

  const swap = async (
    prepared: Omit<Running, "queue" | "uses" | "explanation">,
    beside: InstalledVersion | undefined,
  ): Promise<void> => {
    const explanation = await explanationOf(prepared.manifest);
    const queue = queueOf(prepared.lease, prepared.manifest, prepared.trial);
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
    kept = beside;
    preparing = [];
    refused = barred = personal = undefined;
    if (waiting !== undefined && waiting.release.manifest.version <= next.manifest.version)
      waiting = undefined;
    options.onNeeds?.(needed());
    options.onRunning(stateOf(next), previous?.manifest.version ?? null);
    // Calls that the old version accepted finish on it.
    await endPersonal(own);
    if (previous !== undefined) await idle(previous);
    await previous?.lease.release();
    if (previous !== undefined && previous.installed.manifestDigest !== beside?.manifestDigest)
      await forgetEngine(previous.installed.files, next.installed.files);
  };

  /** The first answer ends it, and with it what the device kept for the case that there is none. */
  const onTrial = async <T>(trial: Trial, work: () => Promise<T>): Promise<T> => {
    const answer = await trial.running(work);
    if (kept !== undefined) void inTurn(letGo).catch(() => undefined);
    return answer;
  };

  const endPersonal = async (ended: typeof personal): Promise<void> => {
    await ended?.queue.idle();
    await ended?.lease.release({ keep: false });
  };

  /** Where there is no memory for two versions: calls wait until the old one has made room and the new one is there. */
  const openInPlaceOf = async (replaced: Running, next: () => Promise<Opened>): Promise<Opened> => {
    env.log.info("no memory for two versions; the old one ends before the new one begins", { model: name });
    const own = personal;
    personal = undefined;
    await endPersonal(own);
    await idle(replaced);
    await replaced.lease.release({ keep: false });
    try {
      return await next();
    } catch (error) {
      const { lease } = await open({ manifest: replaced.manifest, files: replaced.installed.files });
      running = { ...replaced, lease, queue: queueOf(lease, replaced.manifest, replaced.trial) };
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
    waiting = undefined;
    tell({ version: manifest.version, code, message, manifestDigest });
  };

  const tell = (told: NonNullable<typeof refused>): void => {
    const { version, code, message } = told;
    refused = told;
    options.onRefused?.({ version, code, message });
  };

  const record = async (): Promise<void> => {
    const { previous: _, ...installed } = current().installed;
    try {
      await store.models.write(kept === undefined ? installed : { ...installed, previous: kept });
    } catch (error) {
      // A full disk does not keep the new version from running, only from being there at the next start.
      env.log.warn("an installed version could not be recorded", { model: name, error: toFailure(error) });
    }
  };

  const isOut = (version: number): boolean => withdrawn.some((each) => each.version === version);

  /** What is kept for a way back is let go once nobody may have to take it. */
  const letGo = async (): Promise<void> => {
    if (kept === undefined || running === undefined || !isSettled || running.trial?.isOver === false) return;
    const { files } = kept;
    kept = undefined;
    await record();
    await forgetEngine(files, running.installed.files);
    options.onLessNeeded?.();
  };

  /** Swaps in a version whose files are here, beside which what runs now is kept. */
  const bringIn = async (
    manifest: ModelManifest,
    found: InstalledModel,
    signal: AbortSignal | undefined,
    how: {
      readonly trial?: Trial | undefined;
      readonly isNew: boolean;
      readonly from?: VersionFetch;
    },
  ): Promise<void> => {
    const { trial, isNew, from } = how;
    const replaced = running;
    const isRoomy = replaced === undefined || engines.hasRoomFor(loadedBytes(manifest, found.files));
    const gap = isRoomy ? undefined : Promise.withResolvers<void>();
    const outer = between;
    between = gap?.promise ?? outer;
    const opening = (): Promise<Opened> => {
      const version = { manifest, files: found.files, signal: isRoomy ? signal : undefined, from, isNew };
      const work = () => open(version);
      return trial === undefined ? work() : trial.opening(work);
    };
    try {
      const { lease, files } = isRoomy ? await opening() : await openInPlaceOf(replaced, opening);
      const installed = { ...found, files };
      const { keptBeside } = await newVersions.load();
      const beside = keptBeside(installed, [running, kept && { installed: kept }], standing);
      // Swapped before it is recorded: a crash in between starts the version before, and follows again.
      await swap({ lease, manifest, installed, download: from?.came, trial }, beside);
    } finally {
      between = outer;
      gap?.resolve();
    }
    await record();
    if (replaced !== undefined && kept === undefined) options.onLessNeeded?.();
  };

  const install = async (downloaded: Downloaded, signal: AbortSignal | undefined): Promise<void> => {
    const { release, from } = downloaded;
    const { manifest, manifestBytes, manifestDigest } = release;
    const replaced = running;
    const installed: InstalledModel = {
      model: name,
      channel,
      version: manifest.version,
      manifest: manifestBytes,
      manifestDigest,
      files: downloaded.files,
      installedAtMs: env.clock.now(),
    };
    // It ran here before, and is gone back to as it was.
    const isNew = kept?.manifestDigest !== manifestDigest;
    let trial: Trial | undefined;
    try {
      if (replaced !== undefined) {
        const { requireSamePorts } = await newVersions.load();
        requireSamePorts(replaced.manifest, manifest);
      }
      trial = isNew ? await trialOf(installed) : undefined;
      if (trial?.crashed !== undefined) {
        if (replaced === undefined) await trial.forgive();
        throw trial.crashed;
      }
      await bringIn(manifest, installed, signal, { trial, isNew, from });
    } catch (error) {
      if (replaced !== undefined && !closed && signal?.aborted !== true) refuse(release, error);
      if (trial?.crashed === undefined) await trial?.end();
      throw error;
    }
    isSettled = standing?.rollout === undefined;
    await letGo();
  };

  const trialOf = async (installed: InstalledVersion, isNew = true): Promise<Trial | undefined> => {
    const { openTrial } = await newVersions.load();
    const options = {
      model: name,
      setting: trialSetting(name, channel),
      version: installed.version,
      manifestDigest: installed.manifestDigest,
      engine: engines.diagnose().available[0] ?? "ort-wasm",
    };
    return await openTrial(
      { ...options, settings: store.settings, holds, log: env.log, onDied: (died) => onDied?.(died) },
      isNew,
    );
  };

  /** The device goes back to what it holds, where it may; a version that is withdrawn answers nothing meanwhile. */
  const leaveWithdrawn = async (signal: AbortSignal | undefined): Promise<void> => {
    const back = kept;
    if (back === undefined || isOut(back.version)) return;
    try {
      const manifest = await readModelManifest(back.manifest);
      await bringIn(manifest, { ...back, model: name, channel }, signal, { isNew: false });
    } catch (error) {
      env.log.warn("the version before could not be gone back to", { model: name, error: toFailure(error) });
    }
  };

  /** Known at the next start too, also without network. */
  const heed = async (told: Standing["withdrawn"]): Promise<void> => {
    if (JSON.stringify(told) === JSON.stringify(withdrawn)) return;
    withdrawn = told;
    await store.settings.write(withdrawnSetting(name), told).catch((error: unknown) => {
      env.log.warn("withdrawn versions could not be noted", { model: name, error: toFailure(error) });
    });
  };

  /** Towards what the device is to run. */
  const pursue = async (
    release: ModelRelease,
    update: ModelSlot["update"],
    signal: AbortSignal | undefined,
  ): Promise<void> => {
    const { manifest, manifestDigest } = release;
    if (running !== undefined && barred === undefined && standing?.problem !== undefined)
      throw standing.problem;
    isSettled = false;
    const isRunning =
      running !== undefined &&
      manifestDigest === running.installed.manifestDigest &&
      isInstalled(running.installed, manifest, variant);
    if (isRunning) {
      if (barred !== undefined) throw barred;
      isSettled = standing?.rollout === undefined;
      return await letGo();
    }
    if (manifestDigest === waiting?.release.manifestDigest && barred === undefined) return;
    if (running !== undefined && isFinal(refused) && manifestDigest === refused?.manifestDigest) return;
    if (isOut(manifest.version)) {
      if (running !== undefined && barred === undefined) return;
      throw (barred ??= (await newVersions.load()).withdrawal(manifest, withdrawn));
    }
    if (manifest.requires?.runtime !== undefined) {
      const { requireRuntime } = await newVersions.load();
      try {
        requireRuntime(manifest);
      } catch (error) {
        if (running !== undefined) refuse(release, error);
        throw error;
      }
    }
    const downloaded = await download(release, signal);
    if (running === undefined || update === "auto") {
      await install(downloaded, signal);
      return;
    }
    waiting = downloaded;
    options.onAvailable(manifest.version, running.manifest.version);
  };

  /** What of an installation may be started: it, or what it could go back to. */
  const startable = async (
    recorded: InstalledModel,
  ): Promise<{ readonly installed?: InstalledModel | undefined; readonly trial?: Trial | undefined }> => {
    const { settings } = store;
    const read = (key: string): Promise<unknown> => settings.read(key).catch(() => undefined);
    const told = await read(withdrawnSetting(name));
    if (Array.isArray(told)) withdrawn = told as typeof withdrawn;
    const hasTrial = (await read(trialSetting(name, channel))) !== undefined;
    if (!hasTrial && !isOut(recorded.version)) return { installed: recorded };
    const trial = hasTrial ? await trialOf(recorded, false) : undefined;
    const start = (await newVersions.load()).startable(recorded, trial, withdrawn);
    ({ barred } = start);
    return start;
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
    get barred() {
      return barred;
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
          const recorded = await store.models.read(name, channel);
          if (recorded === undefined) return false;
          const { installed, trial } = await startable(recorded);
          const crashed = barred?.code === "runtime/version-crashed" ? barred : undefined;
          if (installed === undefined) return false;
          if ((await digestOf(installed.manifest)) !== installed.manifestDigest) {
            throw failure("store/corrupt", `model ${name}: the stored manifest does not match its digest`);
          }
          const manifest = await readModelManifest(installed.manifest);
          if (!isInstalled(installed, manifest, variant)) return false;
          prepare(installed.files.map(({ digest }) => digest));
          const opening = () => open({ manifest, files: installed.files, signal });
          const { lease } = await (trial === undefined ? opening() : trial.opening(opening));
          await swap({ lease, manifest, installed, trial }, installed.previous);
          if (installed.version !== recorded.version) await record();
          if (crashed !== undefined) tell({ ...recorded, code: crashed.code, message: crashed.message });
          return true;
        } catch (error) {
          signal?.throwIfAborted();
          if (closed) throw error;
          env.log.warn("the installed version cannot be started; it is fetched again", {
            model: name,
            error: toFailure(error),
          });
          // An engine that cannot start, or a network that is away, says nothing about the installation.
          if (TributaryError.is(error) && !isOffline(error) && !/^engine|part-un/.test(error.code)) {
            await store.models.delete(name, channel);
          }
          return false;
        }
      }),
    follow(signal) {
      const { update } = this;
      return inTurn(async () => {
        const here = [running?.installed, kept].filter((each) => each !== undefined);
        const release = await releases.model(name, channel, signal, here);
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
        standing = release.standing;
        await heed(standing?.withdrawn ?? []);
        if (waiting !== undefined && isOut(waiting.release.manifest.version)) waiting = undefined;
        if (running === undefined || !isOut(running.manifest.version))
          return await pursue(release, update, signal);
        // It answers nothing any more, whatever the app says of updates.
        barred = (await newVersions.load()).withdrawal(running.manifest, withdrawn);
        const gap = Promise.withResolvers<void>();
        between = gap.promise;
        const goOn = (): void => {
          between = undefined;
          gap.resolve();
        };
        try {
          await leaveWithdrawn(signal);
          const isBack = barred === undefined;
          if (isBack) goOn();
          await pursue(release, isBack ? update : "auto", signal);
        } finally {
          goOn();
        }
      });
    },
    apply: () =>
      inTurn(async () => {
        if (waiting !== undefined) await install(waiting, undefined);
        return stateOf(current());
      }),
    async run(given, signal, usePersonal = true) {
      if (between !== undefined) await abortable(between, signal);
      const prepared = withTensors(answering().manifest, given, options.images);
      const feeds = prepared instanceof Promise ? await prepared : prepared;
      // Whatever runs now: how a model is fed does not change from version to version.
      const { queue, manifest } = answering();
      const own = usePersonal ? personal : undefined;
      const answer = readAnswer(manifest, await (own?.queue ?? queue).run(feeds, signal));
      return { inference: own === undefined ? answer : { ...answer, personal: true }, feeds };
    },
    async use(work, signal) {
      if (between !== undefined) await abortable(between, signal);
      const { lease, manifest, uses, trial } = answering();
      const begin = () => work(lease.session, manifest);
      const use = trial === undefined || trial.isOver ? begin() : onTrial(trial, begin);
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
      const { manifest, queue, installed } = answering();
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
    facts() {
      const { lease, manifest, queue, download: came } = current();
      return { channel, lease, manifest, queue, download: came, refused, standing, kept, barred };
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
