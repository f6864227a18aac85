import { failure } from "@tributary/core";
import { fetchMetadata } from "./log/verify-log.ts";
import { readInput } from "./read-input.ts";

const MAX_ROOT_BYTES = 512 * 1024;

/** The trust root of `--root`, or with a warning the one that the coordinator shows. */
export async function trustedRoot({
  url,
  root,
}: {
  readonly url: string;
  readonly root?: string;
}): Promise<Uint8Array> {
  if (root !== undefined) return readInput(root);
  console.error(
    "warning: the coordinator's own root is believed; give the one that the app pins with --root",
  );
  const bytes = await fetchMetadata(url, "1.root.json", MAX_ROOT_BYTES);
  if (bytes !== undefined) return bytes;
  throw failure("tuf/missing-metadata", `root: ${url} has no 1.root.json`);
}
