import { failure, type Clock } from "@tributary/core";
import { createTufClient } from "@tributary/tuf";

/** A metadata file by its name; undefined where there is none. */
export type FetchMetadata = (fileName: string, maxBytes: number) => Promise<Uint8Array | undefined>;

export interface SignedTimestamp {
  readonly version: number;
  /** What it says of the logs. */
  readonly custom: unknown;
}

/** The newest timestamp, as a device verifies it. @throws `tuf/*` */
export async function signedTimestamp(options: {
  /** The TUF root that the app pins. */
  readonly root: Uint8Array;
  readonly clock: Pick<Clock, "now">;
  readonly fetch: FetchMetadata;
}): Promise<SignedTimestamp> {
  const files = new Map<string, Uint8Array>();
  const client = createTufClient({
    trustedRoot: options.root,
    clock: options.clock,
    store: {
      read: (role) => Promise.resolve(files.get(role)),
      write: (role, bytes) => Promise.resolve(void files.set(role, bytes)),
      delete: (role) => Promise.resolve(void files.delete(role)),
    },
    fetcher: { metadata: (fileName, { maxBytes }) => options.fetch(fileName, maxBytes) },
  });
  await client.refresh();
  return { version: client.timestampVersion, custom: client.timestampCustom };
}

/** The metadata that a coordinator serves. */
export function metadataOf(url: string): FetchMetadata {
  return (fileName, maxBytes) => fetchMetadata(url, fileName, maxBytes);
}

/** A metadata file; undefined where there is none. */
export async function fetchMetadata(
  url: string,
  fileName: string,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  if (!URL.canParse(url))
    throw failure("cli/usage", `expected the URL of a coordinator, got ${JSON.stringify(url)}`);
  const where = new URL(`/v1/tuf/${fileName}`, url);
  const response = await fetch(where, { redirect: "error" }).catch((cause: unknown) => {
    throw failure("transport/connect-failed", `log: ${where.href} cannot be reached`, { cause });
  });
  if (response.status === 404) return undefined;
  if (!response.ok) {
    throw failure("http/unexpected-response", `log: ${where.href} answered ${response.status}`);
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > maxBytes) throw failure("tuf/too-large", `log: ${where.href} has more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}
