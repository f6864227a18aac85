/**
 * Whether a version ends the process that it begins to run in. Nobody can tell afterwards: so it is written down before what is new here
 * is opened, and before it runs for the first time, and crossed out when it has answered.
 */
import { failure, toFailure, type Digest, type Env, type TributaryError } from "@tributary/core";
import type { EngineName } from "@tributary/engine";
import type { SettingStore } from "../store/device-store.ts";
import type { BlobHolds } from "./blob-holds.ts";

/** So often a version may end the process before it is not started again by itself. */
export const MAX_DEATHS = 2;

/** As it is kept. */
export interface TrialRecord {
  readonly version: number;
  readonly manifestDigest: Digest;
  readonly engine: EngineName;
  /** How often the process ended while the version was opened, or ran for the first time. */
  readonly deaths: number;
  /** It is opened, or runs, now; or did so when the process ended. */
  readonly active: boolean;
}

export interface TrialOptions {
  readonly model: string;
  /** Where it is kept. */
  readonly setting: string;
  readonly version: number;
  readonly manifestDigest: Digest;
  /** What it is to run on, as far as is known. */
  readonly engine: EngineName;
  readonly settings: Pick<SettingStore, "read" | "write" | "delete">;
  /** Of the tabs that share the store: one that is at it lives. */
  readonly holds?: BlobHolds | undefined;
  readonly log: Env["log"];
  /** The process, or worker, before this one ended by it. */
  readonly onDied: (record: TrialRecord) => void;
}

export interface Trial {
  /** Why it is not started again by itself; undefined: it may be. */
  readonly crashed: TributaryError | undefined;
  /** One more time, because somebody asked for it. */
  forgive(): Promise<void>;
  /** Opens it: it may end the process, but has not answered yet. */
  opening<T>(work: () => Promise<T>): Promise<T>;
  /** Runs it: where it answers, the trial is over. */
  running<T>(work: () => Promise<T>): Promise<T>;
  /** It answered. */
  readonly isOver: boolean;
  /** The version is not tried any more, for another reason. */
  end(): Promise<void>;
}

/** @returns undefined where this version has answered here before, and is not `isNew` */
export async function openTrial(options: TrialOptions, isNew: boolean): Promise<Trial | undefined> {
  const { settings, setting, holds, log, onDied, model, version, manifestDigest, engine } = options;
  const kept = asRecord(await settings.read(setting).catch(() => undefined));
  const before = kept?.manifestDigest === manifestDigest ? kept : undefined;
  if (before === undefined && !isNew) return undefined;
  const isElsewhere = before?.active === true && (await holds?.held())?.has(manifestDigest) === true;
  let deaths = before?.deaths ?? 0;
  let isOver = false;
  let atIt = 0;
  let writing: Promise<void> = Promise.resolve();

  const write = (active: boolean): Promise<void> => {
    const record = { version, manifestDigest, engine, deaths, active } satisfies TrialRecord;
    writing = writing.then(() =>
      settings
        .write(setting, record)
        .catch((error: unknown) =>
          log.warn("a trial could not be noted", { model, error: toFailure(error) }),
        ),
    );
    return writing;
  };
  const end = async (): Promise<void> => {
    if (isOver) return;
    isOver = true;
    await writing;
    await settings.delete(setting).catch(() => undefined);
  };
  const within = async <T>(work: () => Promise<T>): Promise<T> => {
    if (isOver) return await work();
    atIt += 1;
    if (atIt === 1) {
      holds?.hold(`trial ${model}`, [manifestDigest]);
      await write(true);
    }
    try {
      return await work();
    } finally {
      atIt -= 1;
      if (atIt === 0) {
        holds?.hold(`trial ${model}`, []);
        if (!isOver) await write(false);
      }
    }
  };

  if (before?.active === true && !isElsewhere) {
    deaths += 1;
    await write(false);
    onDied({ ...before, deaths });
  }
  return {
    get crashed() {
      return deaths < MAX_DEATHS ? undefined : crashed(model, version, deaths);
    },
    get isOver() {
      return isOver;
    },
    async forgive() {
      deaths = MAX_DEATHS - 1;
      await write(false);
    },
    opening: within,
    running: (work) =>
      within(async () => {
        const answer = await work();
        void end();
        return answer;
      }),
    end,
  };
}

function crashed(model: string, version: number, deaths: number): TributaryError {
  return failure(
    "runtime/version-crashed",
    `model ${model}: version ${version} ended the process ${deaths} times before it had answered once; it is not started by itself any more`,
    { detail: { model, version, deaths } },
  );
}

/** Stored values are not trusted to have our shape. */
function asRecord(value: unknown): TrialRecord | undefined {
  const { manifestDigest, deaths, active } = (value ?? {}) as Partial<TrialRecord>;
  const isWhole =
    typeof manifestDigest === "string" && typeof deaths === "number" && typeof active === "boolean";
  return isWhole ? (value as TrialRecord) : undefined;
}
