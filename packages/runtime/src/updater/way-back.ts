/** Which version a device may go back to, and which it may not run any more. */
import { failure, type TributaryError } from "@tributary/core";
import type { InstalledModel, InstalledVersion } from "../store/device-store.ts";
import type { Standing } from "./standing.ts";
import type { Trial } from "./trial.ts";

type Withdrawn = Standing["withdrawn"];

/** A version that is here. */
interface Held {
  readonly installed: InstalledVersion;
  readonly trial?: Trial | undefined;
}

/**
 * What to keep beside the next version: the rollout's control, else the first that may run and has answered here.
 *
 * @param held - what runs, and what was kept beside it
 */
export function keptBeside(
  next: InstalledVersion,
  held: readonly (Held | undefined)[],
  standing: Standing | undefined,
): InstalledVersion | undefined {
  const good = held
    .filter((each) => each !== undefined)
    .filter(({ installed }) => {
      const { version, manifestDigest } = installed;
      return manifestDigest !== next.manifestDigest && !isOut(version, standing?.withdrawn ?? []);
    });
  const control = standing?.rollout?.control;
  const found =
    good.find(({ installed }) => installed.version === control) ??
    good.find(({ trial }) => trial?.isOver !== false) ??
    good[0];
  if (found === undefined) return undefined;
  const { version, manifest, manifestDigest, files, installedAtMs } = found.installed;
  return { version, manifest, manifestDigest, files, installedAtMs };
}

/** What of an installation may be started: it, or what it could go back to. */
export function startable(
  recorded: InstalledModel,
  trial: Trial | undefined,
  withdrawn: Withdrawn,
): {
  readonly installed?: InstalledModel;
  readonly trial?: Trial | undefined;
  /** Why not the one that is installed. */
  readonly barred: TributaryError | undefined;
} {
  const barred = isOut(recorded.version, withdrawn) ? withdrawal(recorded, withdrawn) : trial?.crashed;
  if (barred === undefined) return { installed: recorded, trial, barred };
  const { model, channel, previous } = recorded;
  if (previous === undefined || isOut(previous.version, withdrawn)) return { barred };
  return { installed: { ...previous, model, channel }, barred };
}

/** Why a version answers nothing. */
export function withdrawal(
  { model, version }: { readonly model: string; readonly version: number },
  withdrawn: Withdrawn,
): TributaryError {
  const { reason = "" } = withdrawn.find((each) => each.version === version) ?? {};
  return failure(
    "runtime/version-withdrawn",
    `model ${model}: version ${version} was withdrawn (${reason}), and there is no other that this device may run`,
    { detail: { model, version, reason } },
  );
}

function isOut(version: number, withdrawn: Withdrawn): boolean {
  return withdrawn.some((each) => each.version === version);
}
