import { failure, timeoutSignal, type Digest, type Env } from "@tributary/core";
import {
  EnrolmentResponse,
  parseDocument,
  parseJson,
  LogConsistency,
  logConsistencyPath,
  CAPABILITY_SCHEME,
  CERTIFICATE_SCHEME,
  LIMITS,
  PROOF_HEADER,
  type EnrolmentRequest,
} from "@tributary/protocol";
import { chunksOf, drain, errorOf, readBody } from "./http-response.ts";
import { withRetries } from "./retry.ts";

export interface HttpOptions {
  /** Origin of the coordinator. */
  readonly coordinator: string;
  readonly fetch: typeof fetch;
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

export interface UploadRequest {
  /** Path on the coordinator's origin. */
  readonly path: string;
  readonly body: Uint8Array<ArrayBuffer>;
  /** base64url */
  readonly certificate: string;
  /** base64url */
  readonly proof: string;
  /** On the device's monotonic clock: broken off then. */
  readonly untilMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** One step of secure aggregation, under its capability. */
export interface SecureRequest {
  /** Path on the coordinator's origin. */
  readonly path: string;
  /** base64url */
  readonly capability: string;
  /** On the device's monotonic clock: broken off then. */
  readonly untilMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** Bulk and enrolment over HTTP. No cookies, bounded answers, retries where the code says so. */
export interface HttpTransport {
  /** A metadata file, or `undefined` where the server has none. */
  metadata(
    fileName: string,
    options: { readonly maxBytes: number; readonly signal?: AbortSignal },
  ): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** One try at the rest of a blob, by range where something is there already. */
  blob(request: BlobRequest): AsyncGenerator<BlobChunk>;
  enrol(population: string, request: EnrolmentRequest, signal?: AbortSignal): Promise<EnrolmentResponse>;
  /** Hashes, in hex, that prove that the certificate log with `second` entries continues the one with `first`. */
  logConsistency(first: number, second: number, signal?: AbortSignal): Promise<readonly string[]>;
  /** One try; when to try again is the participant's decision. */
  upload(request: UploadRequest): Promise<void>;
  /** What a step of secure aggregation needs. One try. */
  secureInput(request: SecureRequest): Promise<Uint8Array<ArrayBuffer>>;
  /** The answer to a step. One try. */
  secureAnswer(request: SecureRequest & { readonly body: Uint8Array<ArrayBuffer> }): Promise<void>;
  readonly bytesUp: number;
  readonly bytesDown: number;
}

const REQUEST_TIMEOUT_MS = 30_000;
/** A download that receives nothing for this long is broken off; it goes on where it was. */
const STALL_TIMEOUT_MS = 30_000;
const MAX_ENROLMENT_BYTES = 16 * 1024;
/** Twice the height of the largest log, in hex. */
const MAX_CONSISTENCY_BYTES = 8 * 1024;

export function createHttpTransport({ coordinator, fetch, env }: HttpOptions): HttpTransport {
  let bytesUp = 0;
  let bytesDown = 0;
  const countDown = (count: number): void => void (bytesDown += count);

  /** One request. `signal` ends it, and reading its body, too. */
  const request = async (path: string, init: RequestInit & { signal: AbortSignal }): Promise<Response> => {
    try {
      return await fetch(coordinator + path, {
        credentials: "omit",
        cache: "no-store",
        redirect: "follow",
        referrerPolicy: "no-referrer",
        ...init,
      });
    } catch (cause) {
      init.signal.throwIfAborted();
      throw failure("transport/connect-failed", `http: ${coordinator}${path} cannot be reached`, { cause });
    }
  };

  const limited = async <T>(
    timeoutMs: number,
    parent: AbortSignal | undefined,
    use: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> => {
    using limit = timeoutSignal(env.clock, timeoutMs, parent);
    return await use(limit.signal);
  };

  const putBytes = async (
    put: Pick<UploadRequest, "path" | "body" | "untilMs" | "signal">,
    authorization: Record<string, string>,
  ): Promise<void> => {
    const { path, body, untilMs, signal } = put;
    requireOwnPath(coordinator, path);
    await limited(Math.max(1000, untilMs - env.clock.monotonicMs()), signal, async (limit) => {
      const response = await request(path, {
        method: "PUT",
        headers: { "Content-Type": "application/octet-stream", ...authorization },
        // A redirect must not carry what authorizes it elsewhere.
        redirect: "error",
        body,
        signal: limit,
      });
      bytesUp += body.length;
      if (!response.ok) throw await errorOf(response, env.clock);
      await drain(response);
    });
  };

  return {
    metadata: (fileName, { maxBytes, signal }) =>
      withRetries({ env, signal }, () =>
        limited(REQUEST_TIMEOUT_MS, signal, async (limit) => {
          const response = await request(`/v1/tuf/${encodeURIComponent(fileName)}`, { signal: limit });
          if (response.status === 404) {
            await drain(response);
            return undefined;
          }
          if (!response.ok) throw await errorOf(response, env.clock);
          return await readBody(response, maxBytes, countDown);
        }),
      ),

    async *blob({ digest, sizeBytes, offset, signal }) {
      const stall = new StallGuard(env, signal);
      try {
        const response = await request(`/v1/blobs/${digest}`, {
          signal: stall.signal,
          ...(offset === 0 ? {} : { headers: { Range: `bytes=${offset}-`, "If-Range": `"${digest}"` } }),
        });
        if (!response.ok) throw await errorOf(response, env.clock);
        let position = response.status === 206 ? rangeStart(response, offset) : 0;
        for await (const bytes of chunksOf(response)) {
          stall.alive();
          countDown(bytes.length);
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

    enrol: (population, body, signal) =>
      withRetries({ env, signal }, () =>
        limited(REQUEST_TIMEOUT_MS, signal, async (limit) => {
          const response = await request(`/v1/populations/${encodeURIComponent(population)}/enrolments`, {
            method: "POST",
            headers: { "Content-Type": "application/json" },
            // A redirect must not carry the token elsewhere.
            redirect: "error",
            body: JSON.stringify(body),
            signal: limit,
          });
          if (!response.ok) throw await errorOf(response, env.clock);
          const bytes = await readBody(response, MAX_ENROLMENT_BYTES, countDown);
          const json = parseJson("enrolment", bytes, MAX_ENROLMENT_BYTES);
          return parseDocument("enrolment", EnrolmentResponse, json);
        }),
      ),

    logConsistency: (first, second, signal) =>
      withRetries({ env, signal }, () =>
        limited(REQUEST_TIMEOUT_MS, signal, async (limit) => {
          const response = await request(logConsistencyPath(first, second), { signal: limit });
          if (!response.ok) throw await errorOf(response, env.clock);
          const bytes = await readBody(response, MAX_CONSISTENCY_BYTES, countDown);
          const json = parseJson("consistency proof", bytes, MAX_CONSISTENCY_BYTES);
          return parseDocument("consistency proof", LogConsistency, json).path;
        }),
      ),

    upload: ({ certificate, proof, ...put }) =>
      putBytes(put, { Authorization: `${CERTIFICATE_SCHEME} ${certificate}`, [PROOF_HEADER]: proof }),

    secureInput: ({ path, capability, untilMs, signal }) =>
      limited(Math.max(1000, untilMs - env.clock.monotonicMs()), signal, async (limit) => {
        const response = await request(path, {
          headers: { Authorization: `${CAPABILITY_SCHEME} ${capability}` },
          redirect: "error",
          signal: limit,
        });
        if (!response.ok) throw await errorOf(response, env.clock);
        return await readBody(response, LIMITS.maxSecureInputBytes, countDown);
      }),

    secureAnswer: ({ capability, ...put }) =>
      putBytes(put, { Authorization: `${CAPABILITY_SCHEME} ${capability}` }),

    get bytesUp() {
      return bytesUp;
    },
    get bytesDown() {
      return bytesDown;
    },
  };
}

/** Aborts with `core/timeout` when nothing has arrived for a while. */
class StallGuard {
  readonly #env: Env;
  readonly #controller = new AbortController();
  readonly #parent: AbortSignal | undefined;
  readonly #onParent = (): void => this.#controller.abort(this.#parent?.reason);
  #timer: { cancel(): void };

  constructor(env: Env, parent: AbortSignal | undefined) {
    this.#env = env;
    this.#parent = parent;
    if (parent?.aborted === true) this.#onParent();
    else parent?.addEventListener("abort", this.#onParent, { once: true });
    this.#timer = this.#arm();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  alive(): void {
    this.#timer.cancel();
    this.#timer = this.#arm();
  }

  end(): void {
    this.#timer.cancel();
    this.#parent?.removeEventListener("abort", this.#onParent);
  }

  #arm(): { cancel(): void } {
    return this.#env.clock.schedule(STALL_TIMEOUT_MS, () =>
      this.#controller.abort(
        failure("core/timeout", `http: nothing arrived for ${STALL_TIMEOUT_MS} ms`, {
          detail: { timeoutMs: STALL_TIMEOUT_MS },
        }),
      ),
    );
  }
}

/** The path came over the wire: "@elsewhere.example/" after an origin would be another host. */
function requireOwnPath(coordinator: string, path: string): void {
  if (path.startsWith("/")) return;
  throw failure("protocol/invalid-message", `http: "${path}" is no path of ${coordinator}`, {
    detail: { path },
  });
}

function rangeStart(response: Response, asked: number): number {
  const range = /^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "");
  const start = range === null ? Number.NaN : Number(range[1]);
  if (start === asked) return start;
  throw failure(
    "protocol/invalid-response",
    `http: ${response.url} answered the range from ${asked} with "${response.headers.get("content-range") ?? ""}"`,
    { detail: { asked } },
  );
}
