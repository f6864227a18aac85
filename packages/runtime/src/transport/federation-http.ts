import { failure, type Env } from "@tributary/core";
import {
  CAPABILITY_SCHEME,
  CERTIFICATE_SCHEME,
  DeviceErasure,
  EnrolmentResponse,
  erasurePath,
  healthPath,
  LIMITS,
  LogConsistency,
  logConsistencyPath,
  parseDocument,
  parseJson,
  PROOF_HEADER,
  type EnrolmentRequest,
  type HealthReport,
} from "@tributary/protocol";
import { drain, errorOf, readBody } from "./http-response.ts";
import { REQUEST_TIMEOUT_MS, type Requests } from "./requests.ts";
import { withRetries } from "./retry.ts";

export interface FederationHttpOptions {
  /** Origin of the coordinator. */
  readonly coordinator: string;
  readonly requests: Requests;
  readonly env: Env;
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

export interface ErasureRequest {
  readonly population: string;
  /** base64url */
  readonly certificate: string;
  /** base64url */
  readonly proof: string;
  readonly signal?: AbortSignal | undefined;
}

export interface HealthRequest extends ErasureRequest {
  readonly report: HealthReport;
}

/** Enrolment and rounds over HTTP. Bounded answers, retries where the code says so. */
export interface FederationHttp {
  enrol(population: string, request: EnrolmentRequest, signal?: AbortSignal): Promise<EnrolmentResponse>;
  /** Has the record of the device erased. One try. @returns whether there was one */
  erase(request: ErasureRequest): Promise<boolean>;
  /** Tells how a version fares here. One try. */
  tellHealth(request: HealthRequest): Promise<void>;
  /** Hashes, in hex, that prove that the certificate log with `second` entries continues the one with `first`. */
  logConsistency(first: number, second: number, signal?: AbortSignal): Promise<readonly string[]>;
  /** One try; when to try again is the participant's decision. */
  upload(request: UploadRequest): Promise<void>;
  /** What a step of secure aggregation needs. One try. */
  secureInput(request: SecureRequest): Promise<Uint8Array<ArrayBuffer>>;
  /** The answer to a step. One try. */
  secureAnswer(request: SecureRequest & { readonly body: Uint8Array<ArrayBuffer> }): Promise<void>;
}

const MAX_ENROLMENT_BYTES = 16 * 1024;
/** Twice the height of the largest log, in hex. */
const MAX_CONSISTENCY_BYTES = 8 * 1024;

export function createFederationHttp({ coordinator, requests, env }: FederationHttpOptions): FederationHttp {
  const putBytes = async (
    put: Pick<UploadRequest, "path" | "body" | "untilMs" | "signal">,
    authorization: Record<string, string>,
  ): Promise<void> => {
    const { path, body, untilMs, signal } = put;
    requireOwnPath(coordinator, path);
    await requests.limited(Math.max(1000, untilMs - env.clock.monotonicMs()), signal, async (limit) => {
      const response = await requests.send(coordinator + path, {
        method: "PUT",
        headers: { "Content-Type": "application/octet-stream", ...authorization },
        // A redirect must not carry what authorizes it elsewhere.
        redirect: "error",
        body,
        signal: limit,
      });
      requests.countUp(body.length);
      if (!response.ok) throw await errorOf(response, env.clock);
      await drain(response);
    });
  };

  return {
    enrol: (population, body, signal) =>
      withRetries({ env, signal }, () =>
        requests.limited(REQUEST_TIMEOUT_MS, signal, async (limit) => {
          const response = await requests.send(
            `${coordinator}/v1/populations/${encodeURIComponent(population)}/enrolments`,
            {
              method: "POST",
              headers: { "Content-Type": "application/json" },
              // A redirect must not carry the token elsewhere.
              redirect: "error",
              body: JSON.stringify(body),
              signal: limit,
            },
          );
          if (!response.ok) throw await errorOf(response, env.clock);
          const bytes = await readBody(response, MAX_ENROLMENT_BYTES, requests.countDown);
          const json = parseJson("enrolment", bytes, MAX_ENROLMENT_BYTES);
          return parseDocument("enrolment", EnrolmentResponse, json);
        }),
      ),

    erase: ({ population, certificate, proof, signal }) =>
      requests.limited(REQUEST_TIMEOUT_MS, signal, async (limit) => {
        const response = await requests.send(coordinator + erasurePath(population), {
          method: "DELETE",
          headers: { Authorization: `${CERTIFICATE_SCHEME} ${certificate}`, [PROOF_HEADER]: proof },
          redirect: "error",
          signal: limit,
        });
        if (!response.ok) throw await errorOf(response, env.clock);
        const bytes = await readBody(response, MAX_ENROLMENT_BYTES, requests.countDown);
        const json = parseJson("erasure", bytes, MAX_ENROLMENT_BYTES);
        return parseDocument("erasure", DeviceErasure, json).erased;
      }),

    tellHealth: ({ population, certificate, proof, report, signal }) =>
      requests.limited(REQUEST_TIMEOUT_MS, signal, async (limit) => {
        const body = JSON.stringify(report);
        const response = await requests.send(coordinator + healthPath(population), {
          method: "PUT",
          headers: {
            "Content-Type": "application/json",
            Authorization: `${CERTIFICATE_SCHEME} ${certificate}`,
            [PROOF_HEADER]: proof,
          },
          redirect: "error",
          body,
          signal: limit,
        });
        requests.countUp(body.length);
        if (!response.ok) throw await errorOf(response, env.clock);
        await drain(response);
      }),

    logConsistency: (first, second, signal) =>
      withRetries({ env, signal }, () =>
        requests.limited(REQUEST_TIMEOUT_MS, signal, async (limit) => {
          const response = await requests.send(coordinator + logConsistencyPath(first, second), {
            signal: limit,
          });
          if (!response.ok) throw await errorOf(response, env.clock);
          const bytes = await readBody(response, MAX_CONSISTENCY_BYTES, requests.countDown);
          const json = parseJson("consistency proof", bytes, MAX_CONSISTENCY_BYTES);
          return parseDocument("consistency proof", LogConsistency, json).path;
        }),
      ),

    upload: ({ certificate, proof, ...put }) =>
      putBytes(put, { Authorization: `${CERTIFICATE_SCHEME} ${certificate}`, [PROOF_HEADER]: proof }),

    secureInput: ({ path, capability, untilMs, signal }) =>
      requests.limited(Math.max(1000, untilMs - env.clock.monotonicMs()), signal, async (limit) => {
        const response = await requests.send(coordinator + path, {
          headers: { Authorization: `${CAPABILITY_SCHEME} ${capability}` },
          redirect: "error",
          signal: limit,
        });
        if (!response.ok) throw await errorOf(response, env.clock);
        return await readBody(response, LIMITS.maxSecureInputBytes, requests.countDown);
      }),

    secureAnswer: ({ capability, ...put }) =>
      putBytes(put, { Authorization: `${CAPABILITY_SCHEME} ${capability}` }),
  };
}

/** The path came over the wire: "@elsewhere.example/" after an origin would be another host. */
function requireOwnPath(coordinator: string, path: string): void {
  if (path.startsWith("/")) return;
  throw failure("protocol/invalid-message", `http: "${path}" is no path of ${coordinator}`, {
    detail: { path },
  });
}
