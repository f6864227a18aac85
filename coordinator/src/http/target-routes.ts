import { failure, isDigest, type Digest } from "@tributary/core";
import Type from "typebox";
import type { BlobStore } from "../ports/blob-store.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { App } from "./app.ts";
import { noneMatchNames } from "./ranges.ts";

/**
 * `GET /v1/targets/FOLDER/HASH.NAME`: targets as consistent snapshots name them (TUF 5.7.3), for clients of other makes. One copy of
 * the bytes is kept, and served here and by its digest alone.
 */
export function registerTargetRoutes(
  app: App,
  { store, blobs }: { readonly store: MetadataStore; readonly blobs: BlobStore },
): void {
  app.get(
    "/v1/targets/*",
    {
      config: { audience: "device" },
      schema: {
        summary:
          "A released target by its path, with its SHA-256 before the name: models/digits/<sha256>.stable.json",
        tags: ["releases"],
        params: Type.Object({ "*": Type.String({ maxLength: 1_200 }) }),
        produces: ["application/octet-stream"],
      },
    },
    async (request, reply) => {
      const path = request.params["*"];
      const digest = digestIn(path);
      const released = digest !== undefined && (await store.releases.isReleased(digest));
      const blob = released ? await blobs.stat(digest) : undefined;
      if (digest === undefined || blob === undefined)
        throw failure("coordinator/unknown-blob", `http: no released target ${JSON.stringify(path)}`);
      const etag = `"${digest}"`;
      reply.headers({
        etag,
        "cache-control": "public, max-age=31536000, immutable",
        "content-type": "application/octet-stream",
        "content-security-policy": "sandbox; default-src 'none'",
      });
      if (noneMatchNames(request.headers["if-none-match"], etag)) return reply.status(304).send();
      return reply.header("content-length", blob.sizeBytes).send(await blobs.stream(digest));
    },
  );
}

function digestIn(path: string): Digest | undefined {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const digest = name.slice(0, 64);
  return isDigest(digest) && name[64] === "." && name.length > 65 ? digest : undefined;
}
