import { decodeBase64url, failure, type Clock, type RoundId } from "@tributary/core";
import {
  CAPABILITY_SCHEME,
  DigestSchema,
  RoundIdSchema,
  SECURE_STEPS,
  UploadAccepted,
  type SecureStepName,
} from "@tributary/protocol";
import type { FastifyReply } from "fastify";
import type { Readable } from "node:stream";
import Type from "typebox";
import type { AccessHeaders, AccessPolicy } from "../../http/access-policy.ts";
import type { App } from "../../http/app.ts";
import { octetStream } from "../../http/blob-routes.ts";
import type { RoundRun } from "../round-run.ts";
import { Semaphore } from "../serial-queue.ts";
import { contentLength } from "../upload-headers.ts";
import { watchPace } from "../upload-pace.ts";
import type { SecureSession } from "./secure-session.ts";

/** Masked vectors received at a time; the others wait in their sockets, unread. */
const MAX_CONCURRENT_VECTORS = 16;

export interface SecureRouteOptions {
  readonly clock: Clock;
  readonly access: Pick<AccessPolicy, "deviceAllowed">;
  readonly findRun: (roundId: RoundId) => RoundRun | undefined;
}

const params = {
  roundId: RoundIdSchema,
  step: Type.Unsafe<SecureStepName>({ type: "string", enum: [...SECURE_STEPS] }),
  member: Type.Integer({ minimum: 0, maximum: 65_535 }),
};

/** What members of a secure cohort get and put, each step under its own capability; nothing of it may be cached. */
export function registerSecureRoutes(app: App, { clock, access, findRun }: SecureRouteOptions): void {
  const places = new Semaphore(MAX_CONCURRENT_VECTORS);

  const sessionOf = (roundId: RoundId, headers: AccessHeaders): SecureSession => {
    const run = findRun(roundId);
    if (run?.secure === undefined) {
      throw failure("round/unknown-round", `rounds: no secure round ${roundId} is under way`);
    }
    if (!access.deviceAllowed(headers, run.population)) {
      throw failure("http/origin-refused", `rounds: origin ${String(headers.origin)}`);
    }
    return run.secure;
  };

  app.get(
    "/v1/secure/:roundId/:step/:member",
    {
      config: { audience: "device" },
      schema: {
        summary: "What a member of a secure cohort needs for a step",
        tags: ["bulk"],
        security: [{ member: [] }],
        params: Type.Object(params),
        produces: ["application/octet-stream"],
      },
    },
    async (request, reply) => {
      const { roundId, step, member } = request.params;
      const session = sessionOf(roundId, request.headers);
      const capability = capabilityIn(request.headers.authorization);
      const bytes = session.input({ step, member, capability });
      return noStore(reply)
        .header("content-type", "application/octet-stream")
        .send(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    },
  );

  app.put(
    "/v1/secure/:roundId/:step/:member/:digest",
    {
      config: { audience: "device" },
      // The body is a stream; what it may have is part of the capability.
      bodyLimit: Number.MAX_SAFE_INTEGER,
      schema: {
        summary: "A member's answer to a step of secure aggregation",
        tags: ["bulk"],
        security: [{ member: [] }],
        consumes: ["application/octet-stream"],
        params: Type.Object({ ...params, digest: DigestSchema }),
        response: { 202: UploadAccepted },
      },
    },
    async (request, reply) => {
      const { roundId, step, member, digest } = request.params;
      const session = sessionOf(roundId, request.headers);
      const capability = capabilityIn(request.headers.authorization);
      const sizeBytes = contentLength(request.headers["content-length"]);
      const answer = { step, member, capability };
      // Nobody stands in the queue who has no business there.
      session.requireMayAnswer(answer, digest);
      const receive = async (): Promise<void> => {
        const body: Readable = octetStream(request.body);
        // Not destroyed when it is left early: the answer goes over the same socket.
        const source = body.iterator({ destroyOnReturn: false });
        const pace = watchPace(clock, () => places.waiting > 0);
        try {
          await session.answer(answer, { digest, sizeBytes, source: pace.watch(source) });
        } finally {
          pace.stop();
        }
      };
      await (step === "mask" ? places.run(receive) : receive());
      return noStore(reply)
        .status(202)
        .send({ accepted: true as const });
    },
  );
}

function noStore<Reply extends Pick<FastifyReply, "header">>(reply: Reply): Reply {
  reply.header("cache-control", "private, no-store");
  return reply;
}

function capabilityIn(authorization: string | undefined): Uint8Array {
  const [scheme, value, ...rest] = (authorization ?? "").split(" ");
  if (scheme === CAPABILITY_SCHEME && value !== undefined && rest.length === 0) {
    try {
      return decodeBase64url(value);
    } catch {
      // As any other that opens nothing.
    }
  }
  throw failure(
    "secagg/invalid-capability",
    `rounds: "Authorization: ${CAPABILITY_SCHEME} <capability>" expected`,
  );
}
