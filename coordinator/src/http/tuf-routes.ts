import { failure, sha256 } from "@tributary/core";
import Type from "typebox";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { SignedMetadata } from "../ports/records.ts";
import type { App } from "./app.ts";
import { noneMatchNames } from "./ranges.ts";

/** `GET /v1/tuf/:file`: signed metadata from its rows, as consistent snapshots name it. */
export function registerTufRoutes(app: App, store: MetadataStore): void {
  app.get(
    "/v1/tuf/:file",
    {
      schema: {
        summary:
          "TUF metadata: timestamp.json, <version>.root.json, <version>.snapshot.json, <version>.targets.json, and <version>.<role>.json of the roles of models",
        tags: ["releases"],
        params: Type.Object({ file: Type.String({ maxLength: 128 }) }),
      },
    },
    async (request, reply) => {
      const { file } = request.params;
      const found = await metadataOf(store, file);
      if (found === undefined) throw failure("http/not-found", `http: no metadata ${JSON.stringify(file)}`);
      const etag = `"${sha256(found.bytes)}"`;
      reply.headers({
        etag,
        "cache-control": file === "timestamp.json" ? "no-cache" : "public, max-age=31536000, immutable",
        "content-type": "application/json",
      });
      if (noneMatchNames(request.headers["if-none-match"], etag)) return reply.status(304).send();
      return reply.send(Buffer.from(found.bytes.buffer));
    },
  );
}

async function metadataOf(store: MetadataStore, file: string): Promise<SignedMetadata | undefined> {
  if (file === "timestamp.json") return store.releases.latest("timestamp");
  const match = /^([1-9]\d{0,9})\.([a-z0-9][a-z0-9.-]*)\.json$/.exec(file);
  return match === null || match[2] === "timestamp"
    ? undefined
    : store.releases.metadata(match[2]!, Number(match[1]));
}
