import { constants, type Stats } from "node:fs";
import { lstat, open, realpath } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { failure, sha256, type Digest } from "@tributary/core";
import { LIMITS, parseExportedVersion, type ExportedFile, type ExportedVersion } from "@tributary/protocol";
import { MANIFEST_PATH, SUMS_PATH } from "./folder-format.ts";
import { blobPath, LAYOUT_PATH, ociFiles, refOf, type ReadBlob } from "./oci-layout.ts";

/** A file of an export is one array in memory. */
const MAX_FILE_BYTES = 2 ** 31 - 1;
const MAX_SUMS_BYTES = 64 * 1024;

/** An exported version on disk: every file that is read from it has the digest that its manifest gives. */
export interface ExportedFolder {
  readonly manifest: ExportedVersion;
  /** Of `manifest.json`: names the whole of it. */
  readonly digest: Digest;
  read(file: ExportedFile): Promise<Uint8Array<ArrayBuffer>>;
}

/**
 * Opens an exported version, as a folder or as an OCI image layout. No link is followed, and no path leads out of it.
 *
 * @throws `cli/file`, `cli/invalid-export`, `protocol/invalid-document`
 */
export async function openExported(path: string): Promise<ExportedFolder> {
  const root = await realpath(resolve(path)).catch((cause: unknown) => {
    throw failure("cli/file", `${path} cannot be read: ${(cause as Error).message}`, { cause });
  });
  const read: ReadBlob = (inside, expected) => readInside(root, inside, expected);
  const isLayout = await lstat(join(root, LAYOUT_PATH)).then(
    () => true,
    () => false,
  );
  return isLayout ? openLayout(read) : openFolder(read);
}

async function openFolder(read: ReadBlob): Promise<ExportedFolder> {
  const bytes = await read(MANIFEST_PATH, { maxBytes: LIMITS.maxManifestBytes });
  const manifest = parseExportedVersion(bytes);
  const digest = sha256(bytes);
  const sums = new TextDecoder().decode(await read(SUMS_PATH, { maxBytes: MAX_SUMS_BYTES }));
  const told = [...manifest.files, { path: MANIFEST_PATH, digest }]
    .map((file) => `${file.digest}  ${file.path}`)
    .toSorted();
  if (sums.trim().split("\n").toSorted().join("\n") !== told.join("\n"))
    throw failure(
      "cli/invalid-export",
      `import: ${SUMS_PATH} and ${MANIFEST_PATH} do not agree: one of them was changed`,
    );
  return {
    manifest,
    digest,
    read: (file) => read(file.path, { ...file, maxBytes: MAX_FILE_BYTES }),
  };
}

async function openLayout(read: ReadBlob): Promise<ExportedFolder> {
  const files = await ociFiles(read);
  const layerOf = (path: string): NonNullable<ReturnType<typeof files.get>> => {
    const layer = files.get(path);
    if (layer !== undefined) return layer;
    throw failure("cli/invalid-export", `import: no layer has the title ${path}`);
  };
  const main = layerOf(MANIFEST_PATH);
  const bytes = await read(blobPath(main), { ...refOf(main), maxBytes: LIMITS.maxManifestBytes });
  const manifest = parseExportedVersion(bytes);
  for (const file of manifest.files)
    if (refOf(layerOf(file.path)).digest !== file.digest)
      throw failure(
        "cli/invalid-export",
        `import: the layer ${file.path} is not the file that ${MANIFEST_PATH} names`,
      );
  return {
    manifest,
    digest: sha256(bytes),
    read: (file) => read(blobPath(layerOf(file.path)), { ...file, maxBytes: MAX_FILE_BYTES }),
  };
}

async function readInside(
  root: string,
  path: string,
  { sizeBytes, digest, maxBytes }: Parameters<ReadBlob>[1],
): Promise<Uint8Array<ArrayBuffer>> {
  const file = join(root, path);
  const refuse = (why: string, cause?: unknown): Error =>
    failure("cli/invalid-export", `import: ${path} ${why}`, { cause, detail: { file: path } });
  // A folder in between might be a link too.
  const folder = await realpath(dirname(file)).catch((cause: unknown) => {
    throw refuse("is not there", cause);
  });
  if (folder !== dirname(file)) throw refuse("lies behind a link, and links are not followed");
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    (cause: NodeJS.ErrnoException) => {
      throw refuse(cause.code === "ELOOP" ? "is a link, and links are not followed" : "is not there", cause);
    },
  );
  try {
    const found: Stats = await handle.stat();
    if (!found.isFile()) throw refuse("is no file");
    if (found.size > maxBytes) throw refuse(`has ${found.size} bytes, at most ${maxBytes} are read`);
    if (sizeBytes !== undefined && found.size !== sizeBytes)
      throw refuse(`has ${found.size} bytes, expected ${sizeBytes}`);
    const bytes = new Uint8Array(found.size);
    let filled = 0;
    while (filled < bytes.length) {
      const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, filled);
      if (bytesRead === 0) throw refuse("was cut while it was read");
      filled += bytesRead;
    }
    if (digest !== undefined && sha256(bytes) !== digest)
      throw refuse(`has the SHA-256 ${sha256(bytes)}, expected ${digest}: it was changed`);
    return bytes;
  } finally {
    await handle.close();
  }
}
