/** Erasing all that a device knows of a person. Loaded when it is asked for. */
import { encodeBase64url, failure, toFailure, type Clock, type ModelName } from "@tributary/core";
import { erasureMessage } from "@tributary/protocol";
import type { Examples } from "../examples/examples.ts";
import type { Identity } from "../identity.ts";
import type { DeviceStore } from "../store/device-store.ts";
import type { FederationHttp } from "../transport/federation-http.ts";
import type { Erasure, ForgetOptions } from "./erasure.ts";

export interface ForgetDeviceOptions extends ForgetOptions {
  readonly store: DeviceStore;
  readonly examples: Examples;
  /** Undefined: the device never enrols. */
  readonly connection:
    | { readonly identity: Identity; readonly http: Pick<FederationHttp, "erase"> }
    | undefined;
  readonly population: string;
  /** What was learned from the examples of a model, where it must not come back with a round under way. */
  readonly clearLearned: (model: ModelName) => Promise<void>;
  readonly clock: Pick<Clock, "now">;
  readonly signal: AbortSignal;
}

/** Settings that are of the machine or the coordinator and not of the person. */
const KEPT = /^(engine[/:]|certificate-log:|trial\/|withdrawn\/)/;

/** @throws `store/not-erased`, `store/*`; with `requireCoordinator` what kept it from being told */
export async function forgetDevice(options: ForgetDeviceOptions): Promise<Erasure> {
  const { store, examples, connection } = options;
  const coordinator = await tellCoordinator(options);
  const hadExamplesKey = (await store.examplesKey.read().catch(() => undefined)) !== undefined;
  const erasedExamples = await examples.clearAll();
  const learned = await clearLearned(options);
  await store.examplesKey.clear();
  const hadIdentity = (await store.identity.read().catch(() => undefined)) !== undefined;
  const deviceId = await connection?.identity.forget();
  if (connection === undefined) await store.identity.clear();
  const settings = (await store.settings.keys()).filter((key) => !KEPT.test(key));
  for (const key of settings) await store.settings.delete(key);
  await requireNothing(store);
  return {
    at: options.clock.now(),
    examples: erasedExamples.map(({ model, count, sizeBytes }) => ({
      model,
      ...(count === undefined ? {} : { count }),
      sizeBytes,
    })),
    learned,
    keys: [...(hadIdentity ? ["device" as const] : []), ...(hadExamplesKey ? ["examples" as const] : [])],
    ...(deviceId === undefined ? {} : { deviceId }),
    settings,
    coordinator,
  };
}

async function tellCoordinator(options: ForgetDeviceOptions): Promise<Erasure["coordinator"]> {
  const { connection, population, signal } = options;
  const certificate = await connection?.identity.stored();
  if (connection === undefined || certificate === undefined) return { record: "none" };
  try {
    const proof = await connection.identity.sign(erasureMessage(certificate));
    const erased = await connection.http.erase({
      population,
      certificate: encodeBase64url(certificate),
      proof: encodeBase64url(proof),
      signal,
    });
    return { record: erased ? "erased" : "none" };
  } catch (cause) {
    const error = toFailure(cause);
    // It knows no such device.
    if (error.code === "identity/invalid-certificate") return { record: "none" };
    if (options.requireCoordinator === true) throw error;
    return { record: "unreachable", code: error.code };
  }
}

async function clearLearned({
  store,
  clearLearned: clear,
}: ForgetDeviceOptions): Promise<Erasure["learned"]> {
  const erased = [...(await store.learned.list())];
  for (const { name } of erased) await store.learned.delete(name);
  for (const { model, sizeBytes } of (await store.controls?.list()) ?? []) {
    erased.push({ name: `control variates of ${model}`, sizeBytes });
    await clear(model);
  }
  return erased;
}

/** Reads all of it back. */
async function requireNothing(store: DeviceStore): Promise<void> {
  const left = [
    ...(await store.examples.models()).map((model) => `examples of ${model}`),
    ...(await store.learned.list()).map(({ name }) => name),
    ...((await store.controls?.list()) ?? []).map(({ model }) => `control variates of ${model}`),
    ...((await store.examplesKey.read()) === undefined ? [] : ["the key of examples"]),
    ...((await store.identity.read()) === undefined ? [] : ["the device's keys"]),
    ...(await store.settings.keys()).filter((key) => !KEPT.test(key)),
  ];
  if (left.length === 0) return;
  throw failure("store/not-erased", `forget: still there: ${left.join(", ")}`, {
    detail: { left: left.join(", ").slice(0, 200) },
  });
}
