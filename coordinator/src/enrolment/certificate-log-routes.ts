import { decodeUtf8, failure } from "@tributary/core";
import {
  CertificateLogView,
  LogConsistency,
  LogConsistencyQuery,
  LogEntries,
  LogEntriesQuery,
  LogInclusion,
  LogInclusionQuery,
} from "@tributary/protocol";
import type { App } from "../http/app.ts";
import type { CertificateLogRepository } from "../ports/release-repositories.ts";
import { consistencyOf, headOf, inclusionOf } from "./certificate-tree.ts";

export type SignedHead = CertificateLogView["signed"];

export interface CertificateLogRoutesOptions {
  readonly log: CertificateLogRepository;
  /** The head in the newest signed timestamp. */
  readonly signed: () => Promise<SignedHead>;
}

const tags = ["certificate log"];

/** `GET /v1/certificate-log` and below: heads and proofs for everyone, the certificates themselves for operators. */
export function registerCertificateLogRoutes(app: App, options: CertificateLogRoutesOptions): void {
  const { log, signed } = options;

  app.get(
    "/v1/certificate-log",
    {
      config: { audience: "device" },
      schema: {
        summary: "The head of the certificate log, now and as it was signed last",
        tags,
        response: { 200: CertificateLogView },
      },
    },
    async () => ({ head: await headOf(log), signed: await signed() }),
  );

  app.get(
    "/v1/certificate-log/inclusion",
    {
      config: { audience: "device", problems: [403] },
      schema: {
        summary: "That a certificate is in the log: its inclusion path (RFC 9162, 2.1.3)",
        tags,
        querystring: LogInclusionQuery,
        response: { 200: LogInclusion },
      },
    },
    async ({ query }) => {
      const treeSize = query.treeSize ?? (await signed()).treeSize;
      await requireSize(log, treeSize);
      return { ...(await inclusionOf(log, query.leafHash, treeSize)), treeSize };
    },
  );

  app.get(
    "/v1/certificate-log/consistency",
    {
      config: { audience: "device" },
      schema: {
        summary: "That one state of the log continues another (RFC 9162, 2.1.4)",
        tags,
        querystring: LogConsistencyQuery,
        response: { 200: LogConsistency },
      },
    },
    async ({ query: { first, second } }) => {
      if (first > second) throw noSuchSize(first, second);
      await requireSize(log, second);
      return { path: await consistencyOf(log, first, second) };
    },
  );

  app.get(
    "/v1/certificate-log/entries",
    {
      // Who takes part is the operators' and the issuer's to know.
      config: { needs: "audit" },
      schema: {
        summary: "Certificates in the order in which they were first presented",
        tags,
        security: [{ operator: [] }],
        querystring: LogEntriesQuery,
        response: { 200: LogEntries },
      },
    },
    async ({ query: { start, limit } }, reply) => {
      const entries = await log.entries(start, limit);
      return reply
        .header("cache-control", "private, no-store")
        .send({ start, certificates: entries.map(({ certificate }) => decodeUtf8(certificate)) });
    },
  );
}

async function requireSize(log: CertificateLogRepository, treeSize: number): Promise<void> {
  const size = await log.size();
  if (treeSize > size) throw noSuchSize(treeSize, size);
}

function noSuchSize(wanted: number, size: number): Error {
  return failure("http/bad-request", `http: no log of ${wanted} entries, it has ${size}`, {
    detail: { wanted, size },
  });
}
