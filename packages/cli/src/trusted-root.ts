import { failure } from "@tributary/core";
import { metadataOf, type FetchMetadata } from "./log/signed-timestamp.ts";
import { readInput } from "./read-input.ts";

export const MAX_ROOT_BYTES: number = 512 * 1024;

/** The trust root of `--root`, or with a warning the one that the coordinator shows. */
export async function trustedRoot({
  url,
  root,
}: {
  readonly url: string;
  readonly root?: string;
}): Promise<Uint8Array> {
  return givenRoot(root, { whose: "the coordinator's own root", fetch: metadataOf(url), where: url });
}

/** The trust root of `--root`, or with a warning the one that comes with what it is to verify. */
export async function givenRoot(
  file: string | undefined,
  shown: { readonly whose: string; readonly where: string; readonly fetch: FetchMetadata },
): Promise<Uint8Array> {
  if (file !== undefined) return readInput(file);
  console.error(`warning: ${shown.whose} is believed; give the one that the app pins with --root`);
  const bytes = await shown.fetch("1.root.json", MAX_ROOT_BYTES);
  if (bytes !== undefined) return bytes;
  throw failure("tuf/missing-metadata", `root: ${shown.where} has no 1.root.json`);
}
