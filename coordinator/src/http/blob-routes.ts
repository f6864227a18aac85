import { failure, type Clock, type Digest } from "@tributary/core";
import { BlobCreated, DigestSchema } from "@tributary/protocol";
import type { FastifyRequest } from "fastify";
import type { Readable } from "node:stream";
import Type from "typebox";
import type { Identify } from "../access/guard.ts";
import { actorOf, maySomewhere } from "../access/principal.ts";
import type { BlobStore } from "../ports/blob-store.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { App } from "./app.ts";
import { noneMatchNames, parseRange } from "./ranges.ts";
import { createRecentBytes } from "./recent-bytes.ts";

export interface BlobRoutesOptions {
  readonly blobs: BlobStore;
  readonly store: MetadataStore;
  readonly maxBlobBytes: number;
  readonly identify: Identify;
  readonly clock: Pick<Clock, "monotonicMs" | "now">;
}

/**
 * Small blobs that were asked for just now: a delta, a manifest. Short enough that what leaves the release is gone with the next
 * housekeeping all the same.
 */
const RECENT = { maxAgeMs: 1_000, maxBytes: 16 * 1024 * 1024, maxEntryBytes: 256 * 1024 } as const;

/**
 * `GET /v1/blobs/:digest`: bulk by digest, resumable and cacheable for ever. Only what was released is served to
 * everyone; the rest (data sets for evaluation) only to operators who may change something: whoever knows its digest was shown it.
 */
export function registerBlobRoutes(app: App, options: BlobRoutesOptions): void {
  const { blobs, store, maxBlobBytes, identify, clock } = options;
  const recent = createRecentBytes<{ readonly bytes: Buffer }>({ clock, ...RECENT });

  /** Of a small blob that was released. */
  const small = (digest: Digest) =>
    recent.get(digest, async () => {
      const blob = (await store.releases.isReleased(digest)) ? await blobs.stat(digest) : undefined;
      if (blob === undefined || blob.sizeBytes > RECENT.maxEntryBytes) return undefined;
      const { buffer, byteOffset, byteLength } = await blobs.bytes(digest);
      return { bytes: Buffer.from(buffer, byteOffset, byteLength) };
    });

  const isOperator = async (request: FastifyRequest): Promise<boolean> => {
    // Of a device it says nothing: it is told that there is none.
    const principal = await identify(request).catch(() => null);
    return principal !== null && maySomewhere(principal, "operate");
  };

  app.route({
    method: ["GET", "HEAD"],
    url: "/v1/blobs/:digest",
    config: { audience: "device", ranges: true },
    schema: {
      summary: "Bytes by their SHA-256",
      tags: ["bulk"],
      params: Type.Object({ digest: DigestSchema }),
      produces: ["application/octet-stream"],
    },
    async handler(request, reply) {
      const { digest } = request.params;
      const { range, "if-range": ifRange, "if-none-match": ifNoneMatch } = request.headers;
      const known = await small(digest);
      const released = known !== undefined || (await store.releases.isReleased(digest));
      const blob =
        known !== undefined
          ? { sizeBytes: known.bytes.length }
          : released || (await isOperator(request))
            ? await blobs.stat(digest)
            : undefined;
      if (blob === undefined) throw failure("coordinator/unknown-blob", `http: no released blob ${digest}`);

      const etag = `"${digest}"`;
      reply.headers({
        etag,
        "accept-ranges": "bytes",
        // A cache on the way must not hand to everyone what only the operator may read.
        "cache-control": released ? "public, max-age=31536000, immutable" : "private, no-store",
        "content-type": "application/octet-stream",
        "content-security-policy": "sandbox; default-src 'none'",
      });
      if (noneMatchNames(ifNoneMatch, etag)) return reply.status(304).send();

      // If-Range compares strongly; a date or another tag means: the whole, please.
      const wanted =
        ifRange === undefined || ifRange === etag ? parseRange(range, blob.sizeBytes) : undefined;
      if (wanted === "unsatisfiable") {
        reply.header("content-range", `bytes */${blob.sizeBytes}`);
        throw failure("http/range-not-satisfiable", `http: ${range} of ${blob.sizeBytes} bytes`);
      }
      if (wanted !== undefined) {
        reply.status(206);
        reply.header("content-range", `bytes ${wanted.start}-${wanted.end}/${blob.sizeBytes}`);
      }
      reply.header("content-length", wanted === undefined ? blob.sizeBytes : wanted.end - wanted.start + 1);
      if (request.method === "HEAD") return reply.send();
      if (known === undefined) return reply.send(await blobs.stream(digest, wanted));
      return reply.send(
        wanted === undefined ? known.bytes : known.bytes.subarray(wanted.start, wanted.end + 1),
      );
    },
  });

  app.post(
    "/v1/blobs",
    {
      config: { of: "any" },
      schema: {
        summary: "Store bytes, for example a data set for evaluation",
        tags: ["bulk"],
        consumes: ["application/octet-stream"],
        security: [{ operator: [] }],
        response: { 201: BlobCreated },
      },
    },
    async (request, reply) => {
      const stored = await blobs.put(octetStream(request.body), { maxBytes: maxBlobBytes });
      const { digest, sizeBytes } = stored;
      await store.audit.append(
        [{ actor: actorOf(request), action: "blob.upload", object: {}, detail: { digest, sizeBytes } }],
        clock.now(),
      );
      return reply.status(201).send(stored);
    },
  );
}

/** The body of a route that takes `application/octet-stream`. */
export function octetStream(body: unknown): Readable {
  if (body === undefined || body === null || typeof (body as Readable).pipe !== "function")
    throw failure("http/unsupported-media-type", "http: a body of application/octet-stream is expected");
  return body as Readable;
}
