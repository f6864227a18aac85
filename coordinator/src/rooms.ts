import type { Server } from "node:http";
import type { DeviceId, Env, PopulationName } from "@tributary/core";
import type { DevicesView, LogHead } from "@tributary/protocol";
import type { ResolvedConfig } from "./config.ts";
import type { AccessPolicy } from "./http/access-policy.ts";
import type { App } from "./http/app.ts";
import type { BlobStore } from "./ports/blob-store.ts";
import type { Bus } from "./ports/bus.ts";
import type { MetadataStore } from "./ports/metadata-store.ts";
import type { ReleaseChange, TargetRecord } from "./ports/release-records.ts";
import type { RoleKeys } from "./releases/role-keys.ts";
import type { SteadyNow } from "./steady-time.ts";

// The seams between the coordinator's rooms. The composition root (coordinator.ts) is the only place that knows them all.

/** What every room is made of. */
export interface RoomContext {
  readonly config: ResolvedConfig;
  readonly env: Env;
  /** What deadlines are set and kept by; devices are told it too. */
  readonly steadyNow: SteadyNow;
  readonly store: MetadataStore;
  readonly blobs: BlobStore;
  readonly bus: Bus;
  readonly access: AccessPolicy;
}

/** Targets that enter or leave the release. */
export interface TargetChanges {
  readonly put: readonly TargetRecord[];
  readonly remove?: readonly string[];
}

/** Signs releases, one at a time. */
export interface Releases {
  /** The first root metadata: what apps pin. */
  readonly root: Uint8Array<ArrayBuffer>;
  /**
   * Allocates the next numbers, signs in memory and hands the result to `commit`, which stores it (and all that belongs to it)
   * in one transaction. The next release begins when `commit` has settled; when it throws, nothing has happened.
   */
  release<T>(changes: TargetChanges, commit: (change: ReleaseChange) => Promise<T>): Promise<T>;
  /**
   * Signs a timestamp with the heads of the certificate log and of the audit log as they are now, unless the newest one has them.
   *
   * @returns the head of the certificate log that the newest timestamp holds
   */
  signLogHeads(): Promise<LogHead>;
  /** Who signs, and until when. */
  readonly keys: RoleKeys;
  /** Signs what is about to expire, from time to time. */
  close(): Promise<void>;
}

/** Every certificate that devices were admitted with, in a Merkle tree whose head is in the signed metadata. */
export interface CertificateLog {
  /** Adds `GET /v1/certificate-log` and its proofs. */
  register(app: App): void;
  /** Entries were added: the head is signed again within about a second. */
  grew(): void;
  /** @throws `identity/not-logged` */
  requireLogged(certificate: Uint8Array): Promise<void>;
  /**
   * A proof that all of these certificates are in the log, under a signed head.
   *
   * @throws `identity/not-logged`
   */
  prove(certificates: readonly Uint8Array[]): Promise<Uint8Array<ArrayBuffer>>;
  close(): Promise<void>;
}

/** What operators did, and what was decided without them, in a chain of hashes whose head is in the signed metadata. */
export interface AuditLog {
  /** Adds `GET /v1/audit` and the records in order. */
  register(app: App): void;
  /** New heads are signed no more. */
  close(): Promise<void>;
}

/** Admits devices: with a certificate that is issued here against a token, or one of the app's own issuer. */
export interface Enrolment {
  /** Adds `POST /v1/populations/:population/enrolments`. */
  register(app: App): void;
  /** @throws `identity/issued-elsewhere` */
  mintToken(population: PopulationName): Promise<string>;
  /** A token for whoever asks, which holds for a while. @throws `identity/issued-elsewhere` */
  mintOpenToken(population: PopulationName, ttlMs: number): Promise<string>;
  /** Raw Ed25519 public key (32 bytes) that certificates are verified with. */
  readonly issuerPublicKey: Uint8Array<ArrayBuffer>;
}

/** Devices over WebSocket, `GET /v1/connect`. */
export interface Gateway {
  /** Takes over the server's upgrade requests. */
  attach(server: Server): void;
  counts(): DevicesView;
  isConnected(device: DeviceId): boolean;
  /** Refuses new connections, says goodbye and closes all within a second. */
  close(): Promise<void>;
}

/** Drives the rounds of running tasks. */
export interface Rounds {
  /** Adds `PUT /v1/rounds/:roundId/updates/:digest`. */
  register(app: App): void;
  /** Goes on with rounds that a crash interrupted, abandons those that it cannot, and starts the rounds of running tasks. */
  start(): Promise<void>;
  /** Stops all rounds; the one under way is abandoned unless it is committing. */
  close(): Promise<void>;
}
