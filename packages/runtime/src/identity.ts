import {
  abortable,
  decodeBase64url,
  encodeBase64url,
  failure,
  timeoutSignal,
  toFailure,
  type DeviceId,
  type Env,
} from "@tributary/core";
import { deviceIdOf, enrolmentMessage, readCertificate } from "@tributary/protocol";
import type { TokenRequest } from "./runtime.ts";
import type { IdentityStore, StoredIdentity } from "./store/device-store.ts";
import type { FederationHttp } from "./transport/federation-http.ts";

export interface IdentityOptions {
  readonly store: IdentityStore;
  readonly extractableKeys: boolean;
  readonly http: Pick<FederationHttp, "enrol">;
  readonly population: string;
  readonly token: (device: TokenRequest) => Promise<string>;
  readonly env: Env;
  /** Aborts when the device closes. */
  readonly closing: AbortSignal;
  readonly onEnrolled?: (deviceId: DeviceId, expiresAtMs: number) => void;
}

/** Who this device is: one Ed25519 key for its life, and the certificate it is given for it from time to time. */
export interface Identity {
  /** The device's name, once it has keys. */
  readonly deviceId: DeviceId | undefined;
  /** Reads what is stored, without network. */
  load(): Promise<void>;
  /** A certificate that is valid for a while; enrols or renews where there is none. */
  certificate(signal?: AbortSignal): Promise<Uint8Array>;
  sign(message: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>>;
  /** The certificate that is kept, whether it is still good or not. */
  stored(): Promise<Uint8Array | undefined>;
  /** Erases keys and certificate: the next use makes a new device. @returns the name of the one that is gone */
  forget(): Promise<DeviceId | undefined>;
  /** The coordinator did not accept the certificate: the next use asks for a new one. */
  discardCertificate(): Promise<void>;
}

/** Renewed this part of its life before it ends: there is time to try again when the app's backend is away. */
const RENEWAL_SHARE = 0.1;
/** How long the app may take for an enrolment token. */
const TOKEN_TIMEOUT_MS = 60_000;

export function createIdentity(options: IdentityOptions): Identity {
  const { store, http, population, env } = options;
  let known: StoredIdentity | undefined;
  let deviceId: DeviceId | undefined;
  let loading: Promise<void> | undefined;
  let enrolling: Promise<Uint8Array> | undefined;

  const load = (): Promise<void> => {
    loading ??= (async () => {
      known = await store.read();
      if (known === undefined) {
        const keys = (await crypto.subtle.generateKey("Ed25519", options.extractableKeys, [
          "sign",
          "verify",
        ])) as CryptoKeyPair;
        known = { keys };
        await store.write(known);
      }
      deviceId = await deviceIdOf(await rawPublicKey(known.keys));
    })().catch((error: unknown) => {
      loading = undefined;
      throw error;
    });
    return loading;
  };

  const sign = async (message: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> => {
    await load();
    return new Uint8Array(await crypto.subtle.sign("Ed25519", known!.keys.privateKey, message));
  };

  const askToken = async (publicKey: string): Promise<string> => {
    using limit = timeoutSignal(env.clock, TOKEN_TIMEOUT_MS, options.closing);
    const device: TokenRequest = { deviceId: deviceId!, publicKey, population };
    return (await abortable(options.token(device), limit.signal)).trim();
  };

  /** Ends with the device, not with who asked first: a connection may be closed before the token is there. */
  const enrol = async (): Promise<Uint8Array> => {
    const { keys } = known!;
    const publicKey = encodeBase64url(await rawPublicKey(keys));
    const token = await askToken(publicKey);
    const answer = await http.enrol(
      population,
      {
        token,
        publicKey,
        proof: encodeBase64url(await sign(enrolmentMessage(token))),
      },
      options.closing,
    );
    const certificate = decodeBase64url(answer.certificate);
    const fields = await readCertificate(certificate);
    if (fields.deviceId !== deviceId || fields.population !== population) {
      throw failure(
        "identity/enrolment-failed",
        `identity: the certificate is for device ${fields.deviceId} of ${fields.population}, expected ${deviceId} of ${population}`,
      );
    }
    known = { keys, certificate };
    await store.write(known);
    options.onEnrolled?.(fields.deviceId, fields.notAfterMs);
    return certificate;
  };

  return {
    get deviceId() {
      return deviceId;
    },
    load,
    async certificate(signal) {
      await load();
      const stored = known!.certificate;
      const state = stored === undefined ? "over" : await stateOf(stored, population, env.clock.now());
      if (stored !== undefined && state === "fresh") return stored;
      enrolling ??= enrol().finally(() => {
        enrolling = undefined;
      });
      if (stored === undefined || state === "over") return await abortable(enrolling, signal);
      // It is renewed in good time: when nobody gives a new one now, the next use asks again.
      try {
        return await abortable(enrolling, signal);
      } catch (cause) {
        signal?.throwIfAborted();
        options.closing.throwIfAborted();
        env.log.warn("certificate not renewed yet", { error: toFailure(cause) });
        return stored;
      }
    },
    sign,
    async stored() {
      const kept = known ?? (await store.read());
      return kept?.certificate;
    },
    async forget() {
      // One that is given while this runs would be kept again.
      await enrolling?.catch(() => undefined);
      await loading?.catch(() => undefined);
      const stored = known ?? (await store.read());
      const name = stored === undefined ? undefined : await deviceIdOf(await rawPublicKey(stored.keys));
      known = undefined;
      deviceId = undefined;
      loading = undefined;
      await store.clear();
      return name;
    },
    async discardCertificate() {
      await load();
      if (known!.certificate === undefined) return;
      if ((await store.read()) === undefined) {
        // Another tab was told to forget: nothing comes back.
        known = undefined;
        deviceId = undefined;
        loading = undefined;
        return;
      }
      known = { keys: known!.keys };
      await store.write(known);
    },
  };
}

/** Whether a certificate is good, to be renewed although it still holds, or of no use. */
async function stateOf(
  certificate: Uint8Array,
  population: string,
  nowMs: number,
): Promise<"fresh" | "due" | "over"> {
  try {
    const { notBeforeMs, notAfterMs, population: issuedFor } = await readCertificate(certificate);
    if (issuedFor !== population || nowMs >= notAfterMs) return "over";
    return nowMs < notAfterMs - (notAfterMs - notBeforeMs) * RENEWAL_SHARE ? "fresh" : "due";
  } catch {
    return "over";
  }
}

async function rawPublicKey(keys: CryptoKeyPair): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.exportKey("raw", keys.publicKey));
}
