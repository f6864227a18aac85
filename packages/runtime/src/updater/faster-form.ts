/** Of a version's forms the one that this device runs fastest: loaded where a manifest offers several. */
import type { Clock } from "@tributary/core";
import type { Feeds, Session } from "@tributary/engine";
import { checkAgainst } from "@tributary/engine/check";
import type { EngineProvider, SessionLease } from "../engine-provider.ts";
import type { TriedVariant, VariantName } from "../diagnosis.ts";
import type { FormLease } from "./form-lease.ts";
import { asForm } from "./form-lease.ts";

/** Integers are further from the published weights than another engine is. A form that is as wrong as this is of no use. */
export const MAX_FORM_ERROR = 0.05;
/** Timed runs of each form, after those of the comparison. */
const RUNS = 7;

/** Another form of a version. */
export interface OtherForm {
  readonly name: VariantName;
  /** Names its bytes. */
  readonly key: string;
  readonly model: () => Promise<Uint8Array>;
}

export interface FasterFormOptions {
  /** The form whose answers count. */
  readonly base: SessionLease;
  readonly baseName: VariantName;
  readonly forms: readonly OtherForm[];
  readonly engines: Pick<EngineProvider, "openInference" | "diagnose">;
  readonly sample: () => Feeds;
  readonly clock: Pick<Clock, "monotonicMs">;
  /** The choice kept from an earlier start. */
  readonly remembered: unknown;
  readonly remember: (choice: unknown) => Promise<void>;
  readonly signal?: AbortSignal | undefined;
}

/** As it is kept: it holds as long as browser, adapter and engine are the same. */
interface FormChoice {
  readonly fingerprint: string;
  readonly form: VariantName;
  readonly tried: readonly TriedVariant[];
}

/** Opens the form that runs fastest of those that agree with the base; the others' sessions are let go. */
export async function fasterForm(options: FasterFormOptions): Promise<FormLease> {
  const { base, baseName, forms, engines } = options;
  const { fingerprint } = engines.diagnose();
  const open = (form: OtherForm): Promise<SessionLease> =>
    engines.openInference({
      key: form.key,
      format: "onnx",
      model: form.model,
      sample: options.sample,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
  const kept = asChoice(options.remembered);
  if (kept?.fingerprint === fingerprint) {
    const form = forms.find(({ name }) => name === kept.form);
    if (form === undefined) return asForm(base, baseName, kept.tried);
    const lease = await open(form).catch(() => undefined);
    if (lease !== undefined) {
      await base.release({ keep: false });
      return asForm(lease, form.name, kept.tried);
    }
  }
  const feeds = options.sample();
  let times: number[];
  try {
    times = await medians([base.session], feeds, options.clock);
  } catch {
    options.signal?.throwIfAborted();
    // Free dimensions that have to agree: no batch is known that forms could be compared on.
    return asForm(base, baseName, []);
  }
  const tried: TriedVariant[] = [
    { variant: baseName, verdict: "reference", relativeError: null, medianMs: times[0]! },
  ];
  let best = asForm(base, baseName, tried);
  let bestMs = times[0]!;
  for (const form of forms) {
    let lease: SessionLease | undefined;
    try {
      lease = await open(form);
      const { agrees, relativeError } = await checkAgainst(
        { session: base.session, feeds },
        { session: lease.session, feeds },
        MAX_FORM_ERROR,
      );
      if (!agrees) {
        tried.push({ variant: form.name, verdict: "disagrees", relativeError, medianMs: null });
        await lease.release({ keep: false });
        continue;
      }
      const [baseMs, formMs] = (await medians([base.session, lease.session], feeds, options.clock)) as [
        number,
        number,
      ];
      tried[0] = { ...tried[0]!, medianMs: baseMs };
      tried.push({ variant: form.name, verdict: "agrees", relativeError, medianMs: formMs });
      if (formMs < Math.min(bestMs, baseMs)) {
        if (best.session !== base.session) await best.release({ keep: false });
        [best, bestMs] = [asForm(lease, form.name, tried), formMs];
      } else {
        await lease.release({ keep: false });
      }
    } catch (error) {
      options.signal?.throwIfAborted();
      await lease?.release({ keep: false });
      const message = error instanceof Error ? error.message : String(error);
      tried.push({ variant: form.name, verdict: "failed", relativeError: null, medianMs: null, message });
    }
  }
  if (best.session !== base.session) await base.release({ keep: false });
  await options.remember({ fingerprint, form: best.variant, tried } satisfies FormChoice);
  return best;
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
