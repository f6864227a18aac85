import { encodeUtf8, failure, isDigest, sha256, type Digest } from "@tributary/core";
import type { ExportedFile } from "@tributary/protocol";
import Type, { type Static, type TSchema } from "typebox";
import { Check } from "typebox/value";
import { counted } from "../counted.ts";
import { describeFile, exportManifest, type FileOfExport } from "./exported-files.ts";
import { MANIFEST_PATH } from "./folder-format.ts";
import type { VersionSource } from "./version-download.ts";
import type { WriteFile } from "./whole-folder.ts";

// An exported version as an OCI image layout (image-spec 1.1): an artifact whose layers are its files, each with its path as its title.

export const ARTIFACT_TYPE = "application/vnd.tributary.model.version.v1";
const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";
const INDEX_TYPE = "application/vnd.oci.image.index.v1+json";
const EXPORT_TYPE = "application/vnd.tributary.model.manifest.v1+json";
/** Of an artifact that needs no configuration: `{}`. */
const EMPTY = Object.freeze({
  mediaType: "application/vnd.oci.empty.v1+json",
  digest: "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
  size: 2,
  data: "e30=",
});
const TITLE = "org.opencontainers.image.title";

export const LAYOUT_PATH = "oci-layout";
export const INDEX_PATH = "index.json";

const Descriptor = Type.Object({
  mediaType: Type.String({
    pattern: "^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$",
  }),
  digest: Type.String({ pattern: "^sha256:[0-9a-f]{64}$" }),
  size: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
  artifactType: Type.Optional(Type.String({ maxLength: 255 })),
  annotations: Type.Optional(Type.Record(Type.String(), Type.String({ maxLength: 4_096 }))),
});
export type Descriptor = Static<typeof Descriptor>;

const Index = Type.Object({
  schemaVersion: Type.Literal(2),
  mediaType: Type.Optional(Type.Literal(INDEX_TYPE)),
  manifests: Type.Array(Descriptor, { maxItems: 1_000 }),
});
const Manifest = Type.Object({
  schemaVersion: Type.Literal(2),
  mediaType: Type.Optional(Type.Literal(MANIFEST_TYPE)),
  artifactType: Type.Literal(ARTIFACT_TYPE),
  layers: Type.Array(Descriptor, { minItems: 1, maxItems: 65 }),
});
const Layout = Type.Object({ imageLayoutVersion: Type.Literal("1.0.0") });

/** Writes the files of a version as blobs, with the manifest that names them, and an index with the one tag of the version's number. */
export async function writeOciLayout(
  write: WriteFile,
  source: Pick<VersionSource, "files">,
  files: AsyncIterable<FileOfExport>,
): Promise<readonly ExportedFile[]> {
  const { version } = source.files;
  const blobs = new Set<Digest>();
  const blob = async (bytes: Uint8Array, mediaType: string, title?: string): Promise<Descriptor> => {
    const digest = sha256(bytes);
    if (!blobs.has(digest)) await write(`blobs/sha256/${digest}`, bytes);
    blobs.add(digest);
    return {
      mediaType,
      digest: `sha256:${digest}`,
      size: bytes.length,
      ...(title === undefined ? {} : { annotations: { [TITLE]: title } }),
    };
  };
  const written: ExportedFile[] = [];
  const layers: Descriptor[] = [];
  for await (const file of files) {
    layers.push(await blob(file.bytes, mediaTypeOf(file.path), file.path));
    written.push(describeFile(file));
  }
  layers.unshift(await blob(exportManifest(source, written), EXPORT_TYPE, MANIFEST_PATH));
  await blob(encodeUtf8("{}"), EMPTY.mediaType);
  const annotations = {
    "org.opencontainers.image.created": version.createdAt,
    [TITLE]: `${version.model} version ${version.version}`,
    "org.opencontainers.image.version": String(version.version),
    "org.opencontainers.image.description": `A version of the model ${version.model}: ${source.files.format}, ${counted(version.parameterCount, "parameter")}`,
  };
  const manifest = await blob(
    json({
      schemaVersion: 2,
      mediaType: MANIFEST_TYPE,
      artifactType: ARTIFACT_TYPE,
      config: EMPTY,
      layers,
      annotations,
    }),
    MANIFEST_TYPE,
  );
  const tag = { "org.opencontainers.image.ref.name": String(version.version) };
  const entry = { ...manifest, artifactType: ARTIFACT_TYPE, annotations: tag };
  await write(INDEX_PATH, json({ schemaVersion: 2, mediaType: INDEX_TYPE, manifests: [entry] }));
  await write(LAYOUT_PATH, json({ imageLayoutVersion: "1.0.0" }));
  return written;
}

/** Reads a file of the layout, whole and verified where a descriptor says what it is to be. */
export type ReadBlob = (
  path: string,
  expected: { readonly sizeBytes?: number; readonly digest?: Digest; readonly maxBytes: number },
) => Promise<Uint8Array<ArrayBuffer>>;

/** The manifest of a layout is as large as its number of files allows. */
const MAX_JSON_BYTES = 1024 * 1024;

/**
 * The files of the one exported version that an OCI image layout holds, by their paths in the folder form.
 *
 * @throws `cli/invalid-export`, and what `read` throws
 */
export async function ociFiles(read: ReadBlob): Promise<ReadonlyMap<string, Descriptor>> {
  const document = async <Schema extends TSchema>(
    schema: Schema,
    what: string,
    path: string,
    expected: { readonly sizeBytes?: number; readonly digest?: Digest } = {},
  ): Promise<Static<Schema>> => {
    const bytes = await read(path, { ...expected, maxBytes: MAX_JSON_BYTES });
    const value = parse(bytes, path);
    if (Check(schema, value)) return value as Static<Schema>;
    throw invalid(`${path} is no ${what}`);
  };
  await document(Layout, "OCI image layout of version 1.0.0", LAYOUT_PATH);
  const { manifests } = await document(Index, "OCI image index", INDEX_PATH);
  const ours = manifests.filter(
    ({ artifactType, mediaType }) => artifactType === ARTIFACT_TYPE && mediaType === MANIFEST_TYPE,
  );
  const [entry] = ours;
  if (entry === undefined || ours.length > 1)
    throw invalid(
      `${INDEX_PATH} names ${ours.length} manifests of artifact type ${ARTIFACT_TYPE}, expected one`,
    );
  const { layers } = await document(Manifest, `manifest of ${ARTIFACT_TYPE}`, blobPath(entry), refOf(entry));
  const files = new Map<string, Descriptor>();
  for (const layer of layers) {
    const title = layer.annotations?.[TITLE];
    if (title === undefined || files.has(title))
      throw invalid(`${blobPath(entry)}: layer ${layer.digest} has no title of its own`);
    files.set(title, layer);
  }
  return files;
}

export function blobPath({ digest }: Pick<Descriptor, "digest">): string {
  return `blobs/${digest.replace(":", "/")}`;
}

export function refOf({ digest, size }: Descriptor): { readonly digest: Digest; readonly sizeBytes: number } {
  const hex = digest.slice("sha256:".length);
  if (!isDigest(hex)) throw invalid(`${digest} is no SHA-256`);
  return { digest: hex, sizeBytes: size };
}

function mediaTypeOf(path: string): string {
  if (path.endsWith(".json")) return "application/json";
  if (path.endsWith(".md")) return "text/markdown";
  return "application/octet-stream";
}

function json(value: unknown): Uint8Array<ArrayBuffer> {
  return encodeUtf8(`${JSON.stringify(value)}\n`);
}

function parse(bytes: Uint8Array, path: string): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw failure("cli/invalid-export", `import: ${path} is no JSON`, { cause });
  }
}

function invalid(what: string): Error {
  return failure("cli/invalid-export", `import: ${what}`);
}
