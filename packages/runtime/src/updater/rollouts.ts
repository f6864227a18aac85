/** Loaded where verified metadata names a rollout of a channel, or versions that are withdrawn. */
import { encodeHex, failure, TributaryError, type Digest, type Env } from "@tributary/core";
import {
  armOf,
  deviceIdOf,
  readRollout,
  readWithdrawnVersions,
  type Rollout,
  type RolloutDevice,
  type WithdrawnVersions,
} from "@tributary/protocol";
import type { TargetFile } from "@tributary/tuf";
import type { Exclusive } from "../device.ts";
import type { DeviceStore } from "../store/device-store.ts";
import type { ModelRelease } from "./releases.ts";
import { requireOwn } from "./require-own.ts";
import type { Standing } from "./standing.ts";

/** Which device this is, as rollouts draw. */
export interface RolloutIdentity {
  readonly store: Pick<DeviceStore, "settings" | "identity">;
  /** That the app gave the device. */
  readonly tags: readonly string[];
}

export interface RolloutsOptions extends RolloutIdentity {
  readonly fetch: (path: string, signal: AbortSignal | undefined) => Promise<Uint8Array>;
  readonly env: Pick<Env, "random">;
  readonly exclusive: Exclusive;
  readonly closing: AbortSignal;
}

export interface ResolveRequest {
  readonly model: string;
  readonly channel: string;
  /** The documents that the verified metadata names. */
  readonly rollout: TargetFile | undefined;
  readonly withdrawn: TargetFile | undefined;
  /** The channel's release, or that of an arm, whose manifest has to be of its version. */
  readonly read: (arm?: Rollout["arms"][number]) => Promise<ModelRelease>;
  readonly signal: AbortSignal | undefined;
}

export interface Rollouts {
  /** What this device is to run of a channel. */
  resolve(request: ResolveRequest): Promise<ModelRelease>;
}

const INSTALLATION = "installation";
const INSTALLATION_BYTES = 16;

export function createRollouts(options: RolloutsOptions): Rollouts {
  const { store, tags } = options;
  /** Documents that were read, by path: a refresh that brings nothing new fetches none. */
  const read = new Map<string, { readonly digest: Digest; readonly document: unknown }>();

  const documentOf = async <T extends { readonly model: string }>(
    model: string,
    { path, sha256: digest }: TargetFile,
    parse: (bytes: Uint8Array) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> => {
    const known = read.get(path);
    if (known?.digest === digest) return known.document as T;
    const document = await parse(await options.fetch(path, signal));
    if (document.model !== model) throw another(path, document.model);
    read.set(path, { digest, document });
    return document;
  };

  /** Made once; all tabs of a site have the same. */
  const installation = async (): Promise<string> => {
    const known = asInstallation(await store.settings.read(INSTALLATION));
    if (known !== undefined) return known;
    return await options.exclusive(async () => {
      const meanwhile = asInstallation(await store.settings.read(INSTALLATION));
      if (meanwhile !== undefined) return meanwhile;
      const made = encodeHex(options.env.random.bytes(INSTALLATION_BYTES));
      await store.settings.write(INSTALLATION, made);
      return made;
    }, options.closing);
  };

  const deviceOf = async ({ devices }: Rollout): Promise<RolloutDevice> => {
    const keys = devices.length === 0 ? undefined : (await store.identity.read())?.keys;
    const publicKey = keys && new Uint8Array(await crypto.subtle.exportKey("raw", keys.publicKey));
    return {
      installation: await installation(),
      deviceId: publicKey && (await deviceIdOf(publicKey)),
      tags,
    };
  };

  const placeIn = async (
    { model, channel, rollout: file, signal }: ResolveRequest,
    withdrawn: WithdrawnVersions["versions"],
  ): Promise<{ readonly standing: Standing; readonly arm?: Rollout["arms"][number] }> => {
    if (file === undefined) return { standing: { withdrawn } };
    const document = await documentOf(model, file, readRollout, signal);
    if (document.channel !== channel) throw another(file.path, `channel ${document.channel}`);
    const arm = await armOf(document, await deviceOf(document));
    const { rollout, control } = document;
    // Taken back: its document goes with the withdrawal, or follows.
    const isOut = withdrawn.some(({ version }) => version === arm?.version);
    if (arm === undefined || isOut) return { standing: { withdrawn, rollout: { rollout, control } } };
    return { arm, standing: { withdrawn, rollout: { rollout, control, arm: arm.name } } };
  };

  return {
    async resolve(request) {
      const { model, withdrawn: file, signal } = request;
      const withdrawn =
        file === undefined ? [] : (await documentOf(model, file, readWithdrawnVersions, signal)).versions;
      try {
        const { arm, standing } = await placeIn(request, withdrawn);
        requireOwn(model, arm === undefined ? [] : [arm.manifest.target]);
        return { ...(await request.read(arm)), standing };
      } catch (error) {
        signal?.throwIfAborted();
        if (!isWrong(error)) throw error;
        return { ...(await request.read()), standing: { withdrawn, problem: error } };
      }
    },
  };
}

/** The document, or what it names, and not the way to it. */
function isWrong(error: unknown): boolean {
  if (!TributaryError.is(error)) return false;
  const { code } = error;
  return (
    code === "protocol/invalid-document" ||
    code === "runtime/incompatible-release" ||
    code === "tuf/target-missing" ||
    code.startsWith("store/")
  );
}

function another(path: string, whose: string): Error {
  return failure("runtime/incompatible-release", `release: ${path} is the document of ${whose}`);
}

function asInstallation(value: unknown): string | undefined {
  return typeof value === "string" && /^[0-9a-f]{32}$/.test(value) ? value : undefined;
}
