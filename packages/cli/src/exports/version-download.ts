import { createApiClient } from "@tributary/api-client";
import { failure, sha256 } from "@tributary/core";
import { parseVersionFiles, type FileRef, type VersionFiles } from "@tributary/protocol";

/** What an export is made of, and how to get it. */
export interface VersionSource {
  readonly files: VersionFiles;
  /** Bytes of the digest that was asked for, and no others. */
  readonly download: (file: FileRef) => Promise<Uint8Array<ArrayBuffer>>;
  /** The version's card as it is now: as JSON, and in Markdown. */
  readonly card: () => Promise<{ readonly json: string; readonly markdown: string }>;
}

/**
 * A version on a coordinator. What was never released, such as sums of rounds, is given to operators alone.
 *
 * @throws `coordinator/unknown-model`, `coordinator/unknown-version`; `download`: `transport/*`, `http/unexpected-response`
 */
export async function versionOf(
  { url, token }: { readonly url: string; readonly token: string },
  model: string,
  version: number | string,
): Promise<VersionSource> {
  const api = createApiClient({ baseUrl: url, token });
  // Files are written by the names in it.
  const files = parseVersionFiles(await api.versionFiles(model, version));
  const { version: number } = files.version;
  return {
    files,
    download: (file) => download(`${url.replace(/\/$/, "")}/v1/blobs/`, token, file),
    card: async () => ({
      json: JSON.stringify(await api.card(model, number), undefined, 2),
      markdown: await api.cardMarkdown(model, number),
    }),
  };
}

async function download(
  folder: string,
  token: string,
  { digest, sizeBytes }: FileRef,
): Promise<Uint8Array<ArrayBuffer>> {
  let response: Response;
  try {
    response = await fetch(folder + digest, { headers: { authorization: `Bearer ${token}` } });
  } catch (cause) {
    throw failure("transport/connect-failed", `export: ${folder} cannot be reached`, { cause });
  }
  if (!response.ok || response.body === null)
    throw failure("http/unexpected-response", `export: ${folder}${digest} answered ${response.status}`, {
      detail: { status: response.status },
    });
  const bytes = new Uint8Array(sizeBytes);
  let filled = 0;
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    if (filled + chunk.length > sizeBytes)
      throw failure("transport/too-large", `export: ${digest} has more than ${sizeBytes} bytes`);
    bytes.set(chunk, filled);
    filled += chunk.length;
  }
  if (filled !== sizeBytes || sha256(bytes) !== digest)
    throw failure(
      "transport/digest-mismatch",
      `export: ${folder}${digest} gave ${filled} bytes of another digest, ${sizeBytes} were expected`,
    );
  return bytes;
}
