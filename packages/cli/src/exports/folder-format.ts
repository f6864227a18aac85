import { encodeUtf8, sha256 } from "@tributary/core";
import type { ExportedFile } from "@tributary/protocol";
import { describeFile, exportManifest, type FileOfExport } from "./exported-files.ts";
import type { VersionSource } from "./version-download.ts";
import type { WriteFile } from "./whole-folder.ts";

export const MANIFEST_PATH = "manifest.json";
export const SUMS_PATH = "SHA256SUMS";

/** Writes the files of a version with their manifest, and checksums that `sha256sum --check` reads. */
export async function writeFolderFormat(
  write: WriteFile,
  source: Pick<VersionSource, "files">,
  files: AsyncIterable<FileOfExport>,
): Promise<readonly ExportedFile[]> {
  const written: ExportedFile[] = [];
  for await (const file of files) {
    await write(file.path, file.bytes);
    written.push(describeFile(file));
  }
  const manifest = exportManifest(source, written);
  await write(MANIFEST_PATH, manifest);
  const sums = [...written, { path: MANIFEST_PATH, digest: sha256(manifest) }];
  await write(SUMS_PATH, encodeUtf8(sums.map(({ digest, path }) => `${digest}  ${path}\n`).join("")));
  return written;
}
