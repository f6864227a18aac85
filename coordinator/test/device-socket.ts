import { once } from "node:events";
import { decodeBase64url, type DeviceId, type PopulationName } from "@tributary/core";
import {
  decodeServerMessage,
  deviceIdOf,
  encodeDeviceMessage,
  enrolmentMessage,
  helloMessage,
  SUBPROTOCOL,
  type DeviceMessage,
  type ServerMessage,
} from "@tributary/protocol";
import { WebSocket } from "ws";
import type { EnrolmentRoom } from "../src/enrolment/enrolment.ts";
import { encodeBase64url } from "@tributary/core";

type MessageOf<Type extends ServerMessage["type"]> = Extract<ServerMessage, { type: Type }>;

/** An enrolled device's key and certificate. */
export interface TestIdentity {
  readonly deviceId: DeviceId;
  readonly certificate: Uint8Array<ArrayBuffer>;
  readonly sign: (message: Uint8Array<ArrayBuffer>) => Promise<Uint8Array<ArrayBuffer>>;
}

/** Enrols a new device with the real issuer. */
export async function enrolDevice(
  enrolment: EnrolmentRoom,
  population: PopulationName,
): Promise<TestIdentity> {
  const keys = (await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"])) as CryptoKeyPair;
  const publicKey = new Uint8Array(await crypto.subtle.exportKey("raw", keys.publicKey));
  const sign = async (message: Uint8Array<ArrayBuffer>) =>
    new Uint8Array(await crypto.subtle.sign("Ed25519", keys.privateKey, message));
  const token = await enrolment.mintToken(population);
  const { certificate } = await enrolment.enrol(population, {
    token,
    publicKey: encodeBase64url(publicKey),
    proof: encodeBase64url(await sign(enrolmentMessage(token))),
  });
  return { deviceId: await deviceIdOf(publicKey), certificate: decodeBase64url(certificate), sign };
}

/** A device's end of a real socket, driven message by message. */
export class DeviceSocket {
  readonly socket: WebSocket;
  readonly received: ServerMessage[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly #waiting = new Set<() => void>();

  constructor(url: string, options: { origin?: string; host?: string; subprotocol?: string } = {}) {
    this.socket = new WebSocket(
      `${url.replace(/^http/, "ws")}/v1/connect`,
      options.subprotocol ?? SUBPROTOCOL,
      {
        headers: {
          ...(options.origin === undefined ? {} : { origin: options.origin }),
          ...(options.host === undefined ? {} : { host: options.host }),
        },
      },
    );
    this.socket.on("message", (data) => {
      this.received.push(decodeServerMessage(data as Buffer));
      for (const wake of this.#waiting) wake();
    });
    this.socket.on("error", () => {});
    this.closed = new Promise((resolve) => {
      this.socket.once("close", (code, reason) => {
        resolve({ code, reason: reason.toString() });
        for (const wake of this.#waiting) wake();
      });
    });
  }

  /** Opens a socket and greets. */
  static async connect(
    url: string,
    identity: TestIdentity,
    options: { origin?: string } = {},
  ): Promise<DeviceSocket> {
    const device = new DeviceSocket(url, options);
    await device.greet(identity);
    return device;
  }

  async greet(identity: TestIdentity, version = 1): Promise<void> {
    const { nonce } = await this.next("challenge");
    const signature = await identity.sign(helloMessage(nonce, identity.certificate));
    this.send({ type: "hello", version, certificate: identity.certificate, signature, software: "test" });
    await this.next("welcome");
  }

  send(message: DeviceMessage): void {
    this.socket.send(encodeDeviceMessage(message));
  }

  /** Takes the next message of a type, leaving the others; rejects when the socket closes before. */
  async next<Type extends ServerMessage["type"]>(type: Type): Promise<MessageOf<Type>> {
    for (;;) {
      const index = this.received.findIndex((message) => message.type === type);
      if (index >= 0) return this.received.splice(index, 1)[0] as MessageOf<Type>;
      if (this.socket.readyState === WebSocket.CLOSED) {
        throw new Error(
          `closed while waiting for ${type}; got ${this.received.map((m) => JSON.stringify(m)).join()}`,
        );
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.add(resolve);
      await promise;
      this.#waiting.delete(resolve);
    }
  }

  async close(): Promise<void> {
    if (this.socket.readyState === WebSocket.CLOSED) return;
    const closed = once(this.socket, "close");
    this.socket.terminate();
    await closed;
  }
}
