import { failure, toFailure, type Env } from "@tributary/core";
import type { ModelManifest } from "@tributary/protocol";
import type { VariantName } from "../diagnosis.ts";
import type { EngineProvider, SessionLease } from "../engine-provider.ts";
import { lazyPart } from "../lazy-part.ts";
import type { ModelVariant } from "../runtime.ts";
import type { DeviceStore, InstalledFile } from "../store/device-store.ts";
import type { BlobFetcher } from "./blob-fetcher.ts";
import { engineSetting, formSetting } from "./engine-setting.ts";
import { asForm, type FormLease } from "./form-lease.ts";
import { formChoices, newVersions } from "./update-parts.ts";
import type { VersionFetch } from "./version-download.ts";
import { hasForms, variantOf, versionFiles } from "./version-files.ts";

/** It comes beside the files that it puts together. */
const binding = lazyPart("binding of weights", () => import("./bind-version.ts"));

/** A version that is ready to run, and its files: with those of forms that came while it was opened. */
export interface Opened {
  readonly lease: FormLease;
  readonly files: readonly InstalledFile[];
}

export interface VersionOpenerOptions {
  readonly model: string;
  readonly variant: ModelVariant;
  readonly blobs: BlobFetcher;
  readonly engines: EngineProvider;
  readonly store: Pick<DeviceStore, "settings">;
  readonly env: Env;
  /** What was opened was opened anew after its GPU was lost, maybe on another engine. */
  readonly onMoved: () => void;
}

export interface OpenOptions {
  readonly manifest: ModelManifest;
  readonly files: readonly InstalledFile[];
  readonly signal?: AbortSignal | undefined;
  /** Where more of it comes from: forms that are faster here. Left out: what is on the device has to do. */
  readonly from?: VersionFetch | undefined;
  /** Whether it has to pass its self-check first. */
  readonly isNew?: boolean;
}

/**
 * Makes a version that is on this device ready to run: puts its weights into its graph, gives it to an engine, checks it, and finds out which of
 * its forms is fastest.
 */
export function createVersionOpener(
  options: VersionOpenerOptions,
): (version: OpenOptions) => Promise<Opened> {
  const { model, variant, blobs, engines, store, env, onMoved } = options;

  const openBase = async ({ manifest, files, signal }: OpenOptions): Promise<SessionLease> => {
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
          env.log.warn("a choice of engine could not be kept", { model, error: toFailure(error) });
        }),
      onMoved,
      ...(signal === undefined ? {} : { signal }),
    });
  };

  const openFastest = async (
    base: SessionLease,
    baseName: VariantName,
    { manifest, files, signal, from }: OpenOptions,
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
          throw failure("store/not-found", `model ${model}: ${path} is not on this device`);
        const [file] = await from.fetch([path], signal);
        all.push(file!);
        return file!;
      },
      read: (file) => blobs.fetch({ ...file, signal }),
      onMoved,
      remembered: await store.settings.read(setting).catch(() => undefined),
      remember: (choice) =>
        store.settings.write(setting, choice).catch((error: unknown) => {
          env.log.warn("a choice of form could not be kept", { model, error: toFailure(error) });
        }),
      signal,
    });
    return { lease, files: all };
  };

  return async (version) => {
    const { manifest, files, isNew = false } = version;
    const base = await openBase(version);
    const baseName = variantOf(manifest, files);
    try {
      if (isNew && manifest.selfCheck !== undefined) {
        const { selfCheck } = await newVersions.load();
        await selfCheck(manifest, baseName === "float32" ? "float32" : "int8", base.session);
      }
      if (!hasForms(manifest, variant)) return { lease: asForm(base, baseName, []), files };
      return await openFastest(base, baseName, version);
    } catch (error) {
      await base.release({ keep: false });
      throw error;
    }
  };
}
