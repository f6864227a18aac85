import { createHash } from "node:crypto";
import { Transform, type Readable } from "node:stream";
import { failure, type Clock } from "@tributary/core";
import type { FastifyReply, FastifyRequest } from "fastify";
import { IDEMPOTENCY_KEPT_MS } from "../housekeeping.ts";
import type { IdempotentRequestRepository } from "../ports/event-repositories.ts";
import type { IdempotentRequestRecord } from "../ports/event-records.ts";
import type { App } from "./app.ts";

/** The caller's own name for one thing that is to be made. */
export const IDEMPOTENCY_KEY_HEADER = "idempotency-key";
/** Says that the answer is one that was given before. */
export const REPLAYED_HEADER = "idempotency-replayed";

export const IDEMPOTENCY_LIMITS = {
  maxKeyCharacters: 128,
  /** Kept at a time; beyond them nothing with a key is taken until some are a day old. */
  maxRequests: 100_000,
  maxAnswerBytes: 256 * 1024,
} as const;

export interface IdempotencyOptions {
  readonly requests: IdempotentRequestRepository;
  readonly clock: Pick<Clock, "now">;
}

interface Begun {
  readonly id: string;
  /** Of the body, once all of it was read; null before. */
  readonly digest: () => string | null;
}

/**
 * `Idempotency-Key` on an operator's POST: sent again with the same key, a request is not done again, and gets the answer of the first
 * for a day. What failed before it was done, and may succeed later, is not remembered.
 */
export function registerIdempotency(app: App, { requests, clock }: IdempotencyOptions): void {
  const begun = new WeakMap<FastifyRequest, Begun>();
  const underWay = new Set<string>();

  app.addHook("preHandler", async (request, reply) => {
    const key = request.headers[IDEMPOTENCY_KEY_HEADER];
    const { audience = "operator" } = request.routeOptions.config;
    if (key === undefined || request.method !== "POST" || audience !== "operator") return;
    const id = requestId(String(key), request);
    const name = `${request.method} ${request.url}`;
    if (underWay.has(id)) throw failure("http/idempotency-busy", `http: ${name} is under way with this key`);
    underWay.add(id);
    const over = (): void => void underWay.delete(id);
    reply.raw.once("close", over);
    const before = await known(requests, id, clock.now());
    if (before !== undefined) return replay(before, name, request, reply).finally(over);
    if ((await requests.count()) >= IDEMPOTENCY_LIMITS.maxRequests)
      throw failure("http/too-many-requests", "http: as many idempotency keys are known as are kept");
    await requests.begin({ id, request: name, at: clock.now() });
    begun.set(request, { id, digest: watchBody(request) });
    return undefined;
  });

  app.addHook("onSend", async (request, reply, payload) => {
    const own = begun.get(request);
    if (own === undefined) return payload;
    const { statusCode: status } = reply;
    // It was not done: it may be sent again as it is.
    if (status >= 500 || status === 429 || status === 408) await requests.forget(own.id);
    else await requests.finish(own.id, own.digest(), answerOf(reply, payload));
    underWay.delete(own.id);
    return payload;
  });
}

/** Requests of a day ago are as new. */
async function known(
  requests: IdempotentRequestRepository,
  id: string,
  nowMs: number,
): Promise<IdempotentRequestRecord | undefined> {
  const found = await requests.get(id);
  if (found === undefined || found.at >= nowMs - IDEMPOTENCY_KEPT_MS) return found;
  await requests.forget(id);
  return undefined;
}

async function replay(
  { request: before, bodyDigest, answer }: IdempotentRequestRecord,
  name: string,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const sent = await bodyDigestOf(request.body);
  if (before !== name || (bodyDigest !== null && bodyDigest !== sent))
    throw failure("http/idempotency-mismatch", `http: the key was used for ${before}`, {
      detail: { request: before.slice(0, 200) },
    });
  if (answer === null)
    throw failure(
      "http/idempotency-unanswered",
      `http: ${name} was begun before, and its answer is not known`,
    );
  if (answer.contentType !== null) void reply.header("content-type", answer.contentType);
  return reply
    .status(answer.status)
    .headers({ [REPLAYED_HEADER]: "true", "cache-control": "no-store" })
    .serializer(String)
    .send(answer.body);
}

/** Of the key and who sent it: nobody meets another's answers. */
function requestId(key: string, { principal }: FastifyRequest): string {
  if (key.length > IDEMPOTENCY_LIMITS.maxKeyCharacters || !/^[\x21-\x7e]+$/.test(key))
    throw failure("http/bad-request", "http: an idempotency key is 1 to 128 visible ASCII characters", {
      detail: {
        in: "headers",
        path: `/${IDEMPOTENCY_KEY_HEADER}`,
        problem: "must be 1 to 128 visible ASCII characters",
      },
    });
  const { kind = "", account, name = "", subject } = principal ?? {};
  // Two people may have the same name at an identity provider.
  const parts = [key, kind, account ?? name, ...(subject === undefined ? [] : [subject])];
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${part.length}:${part}`);
  return hash.digest("hex");
}

/** What may be told again: nothing that says itself that it must not be kept. */
function answerOf(reply: FastifyReply, payload: unknown): IdempotentRequestRecord["answer"] {
  const control = String(reply.getHeader("cache-control") ?? "");
  const refused = reply.statusCode >= 400;
  if (typeof payload !== "string" || (control.includes("no-store") && !refused)) return null;
  if (payload.length > IDEMPOTENCY_LIMITS.maxAnswerBytes) return null;
  const contentType = reply.getHeader("content-type");
  return {
    status: reply.statusCode,
    contentType: contentType === undefined ? null : String(contentType),
    body: payload,
  };
}

/** The digest of a request's body; one that is a stream is hashed while its handler reads it. */
function watchBody(request: FastifyRequest): () => string | null {
  const { body } = request;
  if (!isStream(body)) {
    const digest = digestOf(body);
    return () => digest;
  }
  const hash = createHash("sha256");
  let digest: string | null = null;
  const through = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
    flush(done) {
      digest = hash.digest("hex");
      done();
    },
  });
  body.once("error", (error) => through.destroy(error));
  request.body = body.pipe(through);
  return () => digest;
}

async function bodyDigestOf(body: unknown): Promise<string> {
  if (!isStream(body)) return digestOf(body);
  const hash = createHash("sha256");
  for await (const chunk of body) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

function digestOf(body: unknown): string {
  return createHash("sha256")
    .update(JSON.stringify(body ?? null))
    .digest("hex");
}

function isStream(body: unknown): body is Readable {
  return typeof (body as Readable | undefined)?.pipe === "function";
}
