import { failure, sha256, type Clock } from "@tributary/core";
import Type from "typebox";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { SignedMetadata } from "../ports/release-records.ts";
import type { App } from "./app.ts";
import { noneMatchNames } from "./ranges.ts";
import { createRecentBytes } from "./recent-bytes.ts";

/** What never changes is read from its row once for all who ask in so long. */
const RECENT = { maxAgeMs: 10_000, maxBytes: 16 * 1024 * 1024, maxEntryBytes: 1024 * 1024 } as const;

/** `GET /v1/tuf/:file`: signed metadata from its rows, as consistent snapshots name it. */
export function registerTufRoutes(
  app: App,
  { store, clock }: { readonly store: MetadataStore; readonly clock: Pick<Clock, "monotonicMs"> },
): void {
  const recent = createRecentBytes<ServedMetadata>({ clock, ...RECENT });
  app.get(
    "/v1/tuf/:file",
    {
      config: { audience: "device" },
      schema: {
        summary:
          "TUF metadata: timestamp.json, <version>.root.json, <version>.snapshot.json, <version>.targets.json, and <version>.<role>.json of the roles of models",
        tags: ["releases"],
        params: Type.Object({ file: Type.String({ maxLength: 128 }) }),
        produces: ["application/json"],
      },
    },
    async (request, reply) => {
      const { file } = request.params;
      const found =
        file === "timestamp.json"
          ? await metadataOf(store, file)
          : await recent.get(file, () => metadataOf(store, file));
      if (found === undefined) throw failure("http/not-found", `http: no metadata ${JSON.stringify(file)}`);
      const { etag, bytes } = found;
      reply.headers({
        etag,
        "cache-control": file === "timestamp.json" ? "no-cache" : "public, max-age=31536000, immutable",
        "content-type": "application/json",
      });
      if (noneMatchNames(request.headers["if-none-match"], etag)) return reply.status(304).send();
      return reply.send(bytes);
    },
  );
}

interface ServedMetadata {
  readonly bytes: Buffer;
  readonly etag: string;
}

async function metadataOf(store: MetadataStore, file: string): Promise<ServedMetadata | undefined> {
  const found = await rowOf(store, file);
  if (found === undefined) return undefined;
  const { buffer, byteOffset, byteLength } = found.bytes;
  return { bytes: Buffer.from(buffer, byteOffset, byteLength), etag: `"${sha256(found.bytes)}"` };
}

async function rowOf(store: MetadataStore, file: string): Promise<SignedMetadata | undefined> {
  if (file === "timestamp.json") return store.releases.latest("timestamp");
  const match = /^([1-9]\d{0,9})\.([a-z0-9][a-z0-9.-]*)\.json$/.exec(file);
  return match === null || match[2] === "timestamp"
    ? undefined
    : store.releases.metadata(match[2]!, Number(match[1]));
}
