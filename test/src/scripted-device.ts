import { encodeBase64url, sha256, type Digest, type RoundId } from "@tributary/core";
import {
  decodeServerMessage,
  encodeDeviceMessage,
  enrolmentMessage,
  helloMessage,
  uploadMessage,
  type DeviceMessage,
  type ServerMessage,
} from "@tributary/protocol";
import { WebSocket } from "ws";

type Of<Type extends ServerMessage["type"]> = Extract<ServerMessage, { type: Type }>;

/** An enrolled identity: key and certificate. */
export interface Identity {
  readonly deviceId: string;
  readonly certificate: Uint8Array;
  sign(message: Uint8Array): Promise<Uint8Array>;
}

/** Enrols a fresh Ed25519 key over HTTP, as any device does. */
export async function enrol(url: string, token: string, population = "default"): Promise<Identity> {
  const keys = (await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"])) as CryptoKeyPair;
  const publicKey = new Uint8Array(await crypto.subtle.exportKey("raw", keys.publicKey));
  const sign = async (message: Uint8Array): Promise<Uint8Array> =>
    new Uint8Array(await crypto.subtle.sign("Ed25519", keys.privateKey, Uint8Array.from(message)));
  const response = await fetch(`${url}/v1/populations/${population}/enrolments`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      token,
      publicKey: encodeBase64url(publicKey),
      proof: encodeBase64url(await sign(enrolmentMessage(token))),
    }),
  });
  const answer = (await response.json()) as { certificate: string; deviceId: string };
  if (!response.ok) throw new Error(`enrolment failed: ${response.status} ${JSON.stringify(answer)}`);
  const certificate = Uint8Array.from(
    atob(answer.certificate.replaceAll("-", "+").replaceAll("_", "/")),
    (c) => c.charCodeAt(0),
  );
  return { deviceId: answer.deviceId, certificate, sign };
}

/** A device whose every step the test decides: it speaks the protocol by hand, well or badly. */
export class ScriptedDevice {
  readonly identity: Identity;
  readonly #url: string;
  readonly #socket: WebSocket;
  readonly #received: ServerMessage[] = [];
  readonly #waiting = new Set<() => void>();
  closed: { code: number; reason: string } | undefined;

  private constructor(url: string, identity: Identity) {
    this.identity = identity;
    this.#url = url;
    this.#socket = new WebSocket(`${url.replace(/^http/, "ws")}/v1/connect`, "tributary.v1");
    this.#socket.binaryType = "nodebuffer";
    this.#socket.on("message", (data: Uint8Array) => {
      this.#received.push(decodeServerMessage(new Uint8Array(data)));
      this.#wake();
    });
    this.#socket.on("error", () => {});
    this.#socket.on("close", (code, reason) => {
      this.closed = { code, reason: reason.toString() };
      this.#wake();
    });
  }

  /** Connects, answers the challenge and waits for the welcome. */
  static async connect(url: string, identity: Identity): Promise<ScriptedDevice> {
    const device = new ScriptedDevice(url, identity);
    const challenge = await device.next("challenge");
    const signature = await identity.sign(helloMessage(challenge.nonce, identity.certificate));
    device.send({
      type: "hello",
      version: challenge.maxVersion,
      certificate: identity.certificate,
      signature,
      software: "scripted",
    });
    await device.next("welcome");
    return device;
  }

  /** As often as it takes: a crowded machine may take longer over a greeting than a coordinator waits. */
  static async connectPatiently(url: string, identity: Identity, attempts = 5): Promise<ScriptedDevice> {
    try {
      return await ScriptedDevice.connect(url, identity);
    } catch (error) {
      if (attempts === 1) throw error;
      return ScriptedDevice.connectPatiently(url, identity, attempts - 1);
    }
  }

  send(message: DeviceMessage): void {
    this.#socket.send(encodeDeviceMessage(message));
  }

  /** Bytes as they are, valid or not. */
  sendRaw(bytes: Uint8Array | string): void {
    this.#socket.send(bytes);
  }

  /** The next message of this type; others before it are dropped. */
  async next<Type extends ServerMessage["type"]>(type: Type, timeoutMs = 15_000): Promise<Of<Type>> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      while (this.#received.length > 0) {
        const message = this.#received.shift()!;
        if (message.type === type) return message as Of<Type>;
      }
      if (this.closed !== undefined)
        throw new Error(`closed (${this.closed.code} ${this.closed.reason}) while waiting for ${type}`);
      await this.#change(deadline - performance.now(), type);
    }
  }

  /** Waits until the server has closed the connection. */
  async end(timeoutMs = 15_000): Promise<{ code: number; reason: string }> {
    const deadline = performance.now() + timeoutMs;
    while (this.closed === undefined) await this.#change(deadline - performance.now(), "close");
    return this.closed;
  }

  /** PUTs a body as this round's update; what the proof claims can differ from what is sent. */
  async upload(
    roundId: RoundId,
    body: Uint8Array,
    claim: { readonly digest?: Digest; readonly sizeBytes?: number; readonly path?: string } = {},
  ): Promise<{ readonly status: number; readonly code: string | undefined }> {
    const digest = claim.digest ?? sha256(body);
    const proof = await this.identity.sign(uploadMessage(roundId, digest, claim.sizeBytes ?? body.length));
    const response = await fetch(`${this.#url}${claim.path ?? `/v1/rounds/${roundId}/updates/${digest}`}`, {
      method: "PUT",
      headers: {
        "content-type": "application/octet-stream",
        authorization: `Tributary ${encodeBase64url(this.identity.certificate)}`,
        "tributary-proof": encodeBase64url(proof),
      },
      body: Uint8Array.from(body),
    });
    const answer = (await response.json().catch(() => undefined)) as { code?: string } | undefined;
    return { status: response.status, code: answer?.code };
  }

  /** Drops the connection without a word, as a phone in a tunnel does. */
  vanish(): void {
    this.#socket.terminate();
  }

  close(): void {
    this.#socket.close();
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  #change(timeoutMs: number, what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => {
          this.#waiting.delete(wake);
          reject(new Error(`waited in vain for ${what}`));
        },
        Math.max(0, timeoutMs),
      );
      const wake = (): void => {
        clearTimeout(timer);
        resolve();
      };
      this.#waiting.add(wake);
    });
  }
}
