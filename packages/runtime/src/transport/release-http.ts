import { failure, type Digest, type Env } from "@tributary/core";
import { chunksOf, drain, errorOf, readBody } from "./http-response.ts";
import { REQUEST_TIMEOUT_MS, type HttpResponse, type Requests } from "./requests.ts";
import { withRetries } from "./retry.ts";
import { StallGuard } from "./stall-guard.ts";

export interface ReleaseHttpOptions {
  /** Where `tuf/` and `blobs/` are, with a slash at its end: a coordinator's `/v1/`, or a folder of files. */
  readonly base: string;
  readonly requests: Requests;
  readonly env: Env;
}

export interface BlobRequest {
  readonly digest: Digest;
  /** Length the signed metadata says; more is an error. */
  readonly sizeBytes: number;
  /** Where to begin, the bytes before it being there already. */
  readonly offset: number;
  readonly signal?: AbortSignal | undefined;
}

/** A piece of a blob and where it belongs. The first may begin at 0 although more was asked for. */
export interface BlobChunk {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** Released files over HTTP. Bounded answers, retries where the code says so. */
export interface ReleaseHttp {
  /** A metadata file, or `undefined` where the server has none. */
  metadata(
    fileName: string,
    options: { readonly maxBytes: number; readonly signal?: AbortSignal },
  ): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** One try at the rest of a blob, by range where something is there already. */
  blob(request: BlobRequest): AsyncGenerator<BlobChunk>;
}

export function createReleaseHttp({ base, requests, env }: ReleaseHttpOptions): ReleaseHttp {
  return {
    metadata: (fileName, { maxBytes, signal }) =>
      withRetries({ env, signal }, () =>
        requests.limited(REQUEST_TIMEOUT_MS, signal, async (limit) => {
          const response = await requests.send(`${base}tuf/${encodeURIComponent(fileName)}`, {
            signal: limit,
          });
          if (response.status === 404) {
            await drain(response);
            return undefined;
          }
          if (!response.ok) throw await errorOf(response, env.clock);
          // Servers of single-page apps answer what they do not have with the app.
          if (response.headers.get("content-type")?.startsWith("text/html") === true) {
            await drain(response);
            return undefined;
          }
          return await readBody(response, maxBytes, requests.countDown);
        }),
      ),

    async *blob({ digest, sizeBytes, offset, signal }) {
      const stall = new StallGuard(env, signal);
      try {
        const response = await requests.send(`${base}blobs/${digest}`, {
          signal: stall.signal,
          ...(offset === 0 ? {} : { headers: { Range: `bytes=${offset}-`, "If-Range": `"${digest}"` } }),
        });
        if (!response.ok) throw await errorOf(response, env.clock);
        let position = response.status === 206 ? rangeStart(response, offset) : 0;
        for await (const bytes of chunksOf(response)) {
          stall.alive(bytes.length);
          requests.countDown(bytes.length);
          if (position + bytes.length > sizeBytes) {
            throw failure(
              "transport/too-large",
              `http: blob ${digest} has more than the ${sizeBytes} bytes that were signed for`,
              { detail: { sizeBytes } },
            );
          }
          yield { offset: position, bytes };
          position += bytes.length;
        }
        if (position < sizeBytes) {
          throw failure(
            "transport/closed",
            `http: blob ${digest} ended after ${position} of ${sizeBytes} bytes`,
            {
              detail: { position, sizeBytes },
            },
          );
        }
      } finally {
        stall.end();
      }
    },
  };
}

function rangeStart(response: HttpResponse, asked: number): number {
  const range = /^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "");
  const start = range === null ? Number.NaN : Number(range[1]);
  if (start === asked) return start;
  throw failure(
    "protocol/invalid-response",
    `http: ${response.url} answered the range from ${asked} with "${response.headers.get("content-range") ?? ""}"`,
    { detail: { asked } },
  );
}
