import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import {
  decodeBase64url,
  decodeUtf8,
  failure,
  type Clock,
  type PopulationName,
  type SecureRandom,
} from "@tributary/core";
import { readIssuerKey } from "@tributary/coordinator";
import { deviceIdOf, invalidDocument, issueCertificate, type CertificateRequest } from "@tributary/protocol";

const SERIAL_BYTES = 16;

/** The issuer's own record of what it issued, one JSON object a line: `tributary log verify --issued` compares a log with it. */
export const ISSUED_FILE = "issued.jsonl";

export interface IssuedLine {
  /** RFC 3339, UTC. */
  readonly at: string;
  readonly certificate: string;
  readonly subject?: string;
}

export interface IssuerOptions {
  /** Where `issuer.key.json` lies, and the record is kept. */
  readonly keyDir: string;
  /** What it issues for. */
  readonly populations: readonly PopulationName[];
  readonly lifetimeMs: number;
  readonly clock: Pick<Clock, "now">;
  readonly random: SecureRandom;
}

/** Issues certificates outside of any coordinator, and remembers each. */
export interface CertificateIssuer {
  /** Raw Ed25519 public key, 32 bytes: what coordinators are started with. */
  readonly publicKey: Uint8Array;
  /**
   * A certificate, in compact form; it is recorded before it is given out.
   *
   * @throws `identity/wrong-population`, `identity/device-mismatch`
   */
  issue(request: CertificateRequest): Promise<string>;
}

/** @throws `coordinator/key-…` */
export async function openIssuer(options: IssuerOptions): Promise<CertificateIssuer> {
  const { keyDir, populations, lifetimeMs, clock, random } = options;
  const key = await readIssuerKey(keyDir);
  return {
    publicKey: key.publicKey,
    async issue({ population, publicKey: given, deviceId, subject }) {
      if (!populations.includes(population)) {
        throw failure("identity/wrong-population", `issuer: it issues for ${populations.join(", ")} only`, {
          detail: { population },
        });
      }
      const publicKey = decodeBase64url(given);
      if (publicKey.length !== 32) {
        throw invalidDocument(
          "certificate request",
          "/publicKey",
          `has ${publicKey.length} bytes, expected 32`,
        );
      }
      if (deviceId !== undefined && deviceId !== (await deviceIdOf(publicKey))) {
        throw failure("identity/device-mismatch", `issuer: the key is not that of device ${deviceId}`);
      }
      const nowMs = clock.now();
      const bytes = await issueCertificate((message) => key.sign(message), {
        population,
        publicKey,
        notBeforeMs: nowMs,
        notAfterMs: nowMs + lifetimeMs,
        serial: random.bytes(SERIAL_BYTES),
      });
      const certificate = decodeUtf8(bytes);
      const line: IssuedLine = {
        at: new Date(nowMs).toISOString(),
        certificate,
        ...(subject === undefined ? {} : { subject }),
      };
      await appendFile(join(keyDir, ISSUED_FILE), `${JSON.stringify(line)}\n`, { mode: 0o600, flush: true });
      return certificate;
    },
  };
}
