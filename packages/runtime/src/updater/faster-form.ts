/** Of a version's forms the one that this device runs fastest: loaded where a manifest offers several. */
import { toFailure, type Clock } from "@tributary/core";
import type { EngineName, Feeds, Session } from "@tributary/engine";
import { checkAgainst } from "@tributary/engine/check";
import { sampleFeeds } from "@tributary/engine/sample-feeds";
import { checkExpected } from "@tributary/engine/self-check";
import { VARIANT_USES, type ModelManifest, type VariantForm } from "@tributary/protocol";
import type { EngineProvider, SessionLease } from "../engine-provider.ts";
import type { TriedVariant, VariantName } from "../diagnosis.ts";
import type { InstalledFile } from "../store/device-store.ts";
import type { FormLease } from "./form-lease.ts";
import { asForm } from "./form-lease.ts";

/** A form that is further from the reference than this is of no use: rounding to eight bits moves answers by some hundredths. */
export const MAX_FORM_ERROR = 0.05;
/**
 * Sixteen bits move them by some thousandths. Such a form is held to the signed answers of the exact weights where a version has them,
 * because the reference's weights may have come as int8.
 */
export const MAX_FLOAT16_ERROR = 0.01;
/** Timed runs of each form, after those of the comparison. */
const RUNS = 7;

type Engines = Pick<EngineProvider, "openInference" | "diagnose">;
type ManifestForm = NonNullable<ModelManifest["variants"]>[number] & { readonly name: VariantForm };

export interface FasterFormOptions {
  readonly manifest: Pick<ModelManifest, "variants" | "inputs" | "selfCheck">;
  /** The form whose answers count. */
  readonly base: SessionLease;
  readonly baseName: VariantName;
  readonly engines: Engines;
  /** Of the batch that forms are compared on. */
  readonly seed: string;
  readonly clock: Pick<Clock, "monotonicMs">;
  /** A form's file, which is downloaded where that may be. */
  readonly fileOf: (target: string) => Promise<InstalledFile>;
  readonly read: (file: InstalledFile) => Promise<Uint8Array>;
  /** The GPU was lost: the form was opened anew, maybe on another engine. */
  readonly onMoved: () => void;
  /** The choice kept from an earlier start. */
  readonly remembered: unknown;
  readonly remember: (choice: unknown) => Promise<void>;
  readonly signal?: AbortSignal | undefined;
}

/** As it is kept: it holds as long as browser, adapter and engine are the same, and the forms to choose from. */
interface FormChoice {
  readonly fingerprint: string;
  readonly form: VariantName;
  readonly tried: readonly TriedVariant[];
}

/** The forms of a version that an engine can use, as far as this release of the runtime knows them. */
export function usableForms(
  { variants = [] }: Pick<ModelManifest, "variants">,
  engine: EngineName,
  engines: Pick<EngineProvider, "diagnose">,
): readonly ManifestForm[] {
  const { features: has = [] } = engines.diagnose();
  return variants.filter(isKnown).filter((form) => {
    const { engines: suited, features = [] } = useOf(form);
    return suited.includes(engine) && features.every((feature) => has.includes(feature));
  });
}

function isKnown(form: NonNullable<ModelManifest["variants"]>[number]): form is ManifestForm {
  return Object.hasOwn(VARIANT_USES, form.name);
}

/** An earlier coordinator signed the name alone. */
function useOf({ name, engines, features }: ManifestForm) {
  return engines === undefined ? VARIANT_USES[name] : { engines, features };
}

/** Opens the form that runs fastest of those that agree with the base; the others' sessions are let go. */
export async function fasterForm(options: FasterFormOptions): Promise<FormLease> {
  const { manifest, base, baseName, engines } = options;
  const forms = usableForms(manifest, base.engine, engines);
  const unsuited = (manifest.variants ?? [])
    .filter(isKnown)
    .filter((form) => !forms.includes(form))
    .map(unsuitedForm);
  if (forms.length === 0) return asForm(base, baseName, unsuited);
  const feeds = sampleFeeds(manifest.inputs, options.seed, forms.find(({ sample }) => sample)?.sample);
  const { fingerprint: device } = engines.diagnose();
  const fingerprint = [device, base.engine, ...forms.map(({ target }) => target)].join("; ");
  const kept = asChoice(options.remembered);
  if (kept?.fingerprint === fingerprint) {
    const form = forms.find(({ name }) => name === kept.form);
    if (form === undefined) return asForm(base, baseName, kept.tried);
    const lease = await openForm(options, form, feeds).catch(() => undefined);
    if (lease !== undefined) {
      await base.release({ keep: false });
      return asForm(lease, form.name, kept.tried, base);
    }
  }
  try {
    await base.session.run(feeds);
  } catch {
    options.signal?.throwIfAborted();
    // Free dimensions that have to agree: no batch is known that forms could be compared on.
    return asForm(base, baseName, []);
  }
  const { opened, verdicts, isLasting } = await openAgreeing(options, forms, feeds);
  const all = [{ name: baseName, lease: base }, ...opened];
  const sessions = all.map(({ lease }) => lease.session);
  const times = await medians(sessions, feeds, options.clock).catch(() => undefined);
  if (times === undefined) {
    for (const { lease } of opened) await lease.release({ keep: false });
    options.signal?.throwIfAborted();
    return asForm(base, baseName, [...verdicts, ...unsuited]);
  }
  const medianMs = (name: VariantName): number | null =>
    times[all.findIndex((each) => each.name === name)] ?? null;
  const tried: TriedVariant[] = [
    { variant: baseName, verdict: "reference", relativeError: null, medianMs: medianMs(baseName) },
    ...verdicts.map((each) => ({ ...each, medianMs: medianMs(each.variant) })),
    ...unsuited,
  ];
  const fastest = times.indexOf(Math.min(...times));
  for (const [i, { lease }] of all.entries()) if (i !== fastest) await lease.release({ keep: false });
  const { name: form, lease } = all[fastest]!;
  if (isLasting) await options.remember({ fingerprint, form, tried } satisfies FormChoice);
  return asForm(lease, form, tried, base);
}

/** @throws `store/not-found` where it may not be downloaded; what the download and the engine throw */
async function openForm(
  { base, engines, fileOf, read, onMoved, signal }: FasterFormOptions,
  { target }: ManifestForm,
  feeds: Feeds,
): Promise<SessionLease> {
  const file = await fileOf(target);
  return await engines.openInference({
    key: file.digest,
    format: "onnx",
    on: base.engine,
    model: () => read(file),
    sample: () => feeds,
    onMoved,
    ...(signal === undefined ? {} : { signal }),
  });
}

interface Compared {
  readonly opened: readonly { readonly name: VariantName; readonly lease: SessionLease }[];
  readonly verdicts: readonly TriedVariant[];
  /** What could not be had now is no verdict for ever. */
  readonly isLasting: boolean;
}

async function openAgreeing(
  options: FasterFormOptions,
  forms: readonly ManifestForm[],
  feeds: Feeds,
): Promise<Compared> {
  const { manifest, base, signal } = options;
  const opened: { readonly name: VariantName; readonly lease: SessionLease }[] = [];
  const verdicts: TriedVariant[] = [];
  let isLasting = true;
  for (const form of forms) {
    let lease: SessionLease | undefined;
    try {
      lease = await openForm(options, form, feeds);
      const { session } = lease;
      const { agrees, relativeError } = await agreement(form.name, manifest, base.session, session, feeds);
      const verdict = agrees ? "agrees" : "disagrees";
      verdicts.push({ variant: form.name, verdict, relativeError, medianMs: null });
      if (agrees) opened.push({ name: form.name, lease });
      else await lease.release({ keep: false });
    } catch (error) {
      await lease?.release({ keep: false });
      if (signal?.aborted === true) {
        for (const each of opened) await each.lease.release({ keep: false });
        throw signal.reason;
      }
      const { code, message } = toFailure(error);
      if (!code.startsWith("engine/")) isLasting = false;
      verdicts.push({ variant: form.name, verdict: "failed", relativeError: null, medianMs: null, message });
    }
  }
  return { opened, verdicts, isLasting };
}

function unsuitedForm(form: ManifestForm): TriedVariant {
  const { engines, features = [] } = useOf(form);
  const needs = features.length === 0 ? "" : ` with ${features.join(", ")}`;
  const message = `for ${engines.join(", ")}${needs}`;
  return { variant: form.name, verdict: "unsuited", relativeError: null, medianMs: null, message };
}

async function agreement(
  form: VariantForm,
  { inputs, selfCheck }: FasterFormOptions["manifest"],
  base: Session,
  session: Session,
  feeds: Feeds,
): Promise<{ readonly agrees: boolean; readonly relativeError: number }> {
  if (form === "float16" && selfCheck !== undefined) {
    const outputs = await session.run(sampleFeeds(inputs, selfCheck.seed));
    return checkExpected(selfCheck.float32, outputs, MAX_FLOAT16_ERROR);
  }
  return await checkAgainst({ session: base, feeds }, { session, feeds }, MAX_FORM_ERROR);
}

/** Interleaved, so that a busy moment of the machine hits all. */
async function medians(
  sessions: readonly Session[],
  feeds: Feeds,
  clock: Pick<Clock, "monotonicMs">,
): Promise<number[]> {
  const times = sessions.map((): number[] => []);
  for (let run = 0; run < RUNS; run++) {
    for (const [i, session] of sessions.entries()) {
      const start = clock.monotonicMs();
      await session.run(feeds);
      times[i]!.push(clock.monotonicMs() - start);
    }
  }
  return times.map((list) => list.toSorted((a, b) => a - b)[RUNS >> 1]!);
}

/** Stored values are not trusted to have our shape: an older release may have written them. */
function asChoice(value: unknown): FormChoice | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { fingerprint, form, tried } = value as Partial<FormChoice>;
  const isWhole = typeof fingerprint === "string" && typeof form === "string" && Array.isArray(tried);
  return isWhole ? (value as FormChoice) : undefined;
}
