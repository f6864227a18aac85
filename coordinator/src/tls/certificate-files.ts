import { readFile, stat } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { failure, type Clock, type Env, type Timer } from "@tributary/core";

/** A private key and its certificate with those between it and a root, as PEM. */
export interface KeyPair {
  readonly key: string;
  readonly cert: string;
}

export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** How often the files are looked at. */
export const WATCH_MS = 5_000;

/**
 * Reads a certificate and its key, and makes sure that they belong together.
 *
 * @throws `coordinator/tls-unusable`
 */
export async function readCertificateFiles({ certFile, keyFile }: CertificateFiles): Promise<KeyPair> {
  const [cert, key] = await Promise.all([readPem("tls.certFile", certFile), readPem("tls.keyFile", keyFile)]);
  try {
    createSecureContext({ cert, key });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw unusable(`${certFile} and ${keyFile} are no certificate and its key: ${reason}`, cause);
  }
  return { cert, key };
}

async function readPem(field: string, path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw unusable(`${field}: ${path} cannot be read (${(cause as NodeJS.ErrnoException).code})`, cause);
  }
}

function unusable(reason: string, cause: unknown): Error {
  return failure("coordinator/tls-unusable", `coordinator: ${reason}`, { cause });
}

export interface WatchedFilesOptions {
  readonly env: Pick<Env, "log"> & { readonly clock: Pick<Clock, "schedule"> };
  readonly files: CertificateFiles;
  readonly onChange: (pair: KeyPair) => void;
}

/**
 * Reads the files again when they change, as when a certificate was renewed, and when it is told to. What cannot be used is left where
 * it is: the one before goes on to serve, and the log says why.
 */
export function watchCertificateFiles({ env, files, onChange }: WatchedFilesOptions): {
  reload(): Promise<void>;
  close(): void;
} {
  const { clock, log } = env;
  let known: string | undefined;
  let closed = false;
  let timer: Timer | undefined;

  const reload = async (): Promise<void> => {
    try {
      known = await stateOf(files);
      const pair = await readCertificateFiles(files);
      if (closed) return;
      onChange(pair);
      log.info("tls: the certificate was read again", { file: files.certFile });
    } catch (error) {
      log.error("tls: the new certificate cannot be used, the one before stays", { error });
    }
  };
  const look = async (): Promise<void> => {
    const state = await stateOf(files);
    const before = known;
    known = state;
    if (before !== undefined && state !== before) await reload();
  };
  const later = (): void => {
    timer = clock.schedule(WATCH_MS, () => {
      // Between the renewal of one file and the other there is no pair: the next look finds it.
      look()
        .catch((error: unknown) => log.error("tls: the certificate's files cannot be looked at", { error }))
        .finally(() => {
          if (!closed) later();
        });
    });
  };

  stateOf(files).then(
    (state) => (known ??= state),
    () => undefined,
  );
  later();
  return {
    reload,
    close() {
      closed = true;
      timer?.cancel();
    },
  };
}

/** Which content they have, without reading it: also where a name leads to another file than before. */
async function stateOf({ certFile, keyFile }: CertificateFiles): Promise<string> {
  const states = await Promise.all(
    [certFile, keyFile].map(async (path) => {
      const { ino, mtimeMs, size } = await stat(path);
      return [ino, mtimeMs, size];
    }),
  );
  return JSON.stringify(states);
}
