import { failure, type Clock, type DeviceId, type Digest, type RoundId } from "@tributary/core";
import {
  DigestSchema,
  RoundIdSchema,
  UploadAccepted,
  uploadMessage,
  verifySignature,
} from "@tributary/protocol";
import type { Readable } from "node:stream";
import Type from "typebox";
import { checkCertificate, type GreetingOptions } from "../gateway/greeting.ts";
import type { AccessPolicy } from "../http/access-policy.ts";
import type { App } from "../http/app.ts";
import type { RoundRun } from "./round-run.ts";
import { Semaphore } from "./serial-queue.ts";
import { certificateOf, contentLength, proofOf } from "./upload-headers.ts";
import { watchPace } from "./upload-pace.ts";

/** Bodies received at a time; the others wait in their sockets, unread. */
const MAX_CONCURRENT_UPLOADS = 16;

export interface UploadRouteOptions extends GreetingOptions {
  readonly clock: Clock;
  readonly access: Pick<AccessPolicy, "deviceAllowed">;
  readonly findRun: (roundId: RoundId) => RoundRun | undefined;
  /** Whether there ever was such a round. */
  readonly isKnown: (roundId: RoundId) => Promise<boolean>;
}

/** `PUT /v1/rounds/:roundId/updates/:digest`: one device's update, as announced in `ready`. */
export function registerUploadRoute(app: App, options: UploadRouteOptions): void {
  const places = new Semaphore(MAX_CONCURRENT_UPLOADS);

  app.put(
    "/v1/rounds/:roundId/updates/:digest",
    {
      config: { audience: "device" },
      // The body is a stream; what it may have is known from `ready`.
      bodyLimit: Number.MAX_SAFE_INTEGER,
      schema: {
        summary: "Report an update to a round",
        tags: ["bulk"],
        security: [{ device: [] }],
        consumes: ["application/octet-stream"],
        params: Type.Object({ roundId: RoundIdSchema, digest: DigestSchema }),
        response: { 202: UploadAccepted },
      },
    },
    async (request, reply) => {
      const { roundId, digest } = request.params;
      const sizeBytes = contentLength(request.headers["content-length"]);
      const sender = await checkCertificate(options, certificateOf(request.headers.authorization));
      if (!options.access.deviceAllowed(request.headers, sender.population)) {
        throw failure("http/origin-refused", `rounds: origin ${String(request.headers.origin)}`);
      }
      const proof = proofOf(request.headers);
      if (!(await verifySignature(sender.publicKey, proof, uploadMessage(roundId, digest, sizeBytes)))) {
        throw failure(
          "identity/invalid-proof",
          `rounds: the upload of ${sender.device} is not signed by its key`,
        );
      }
      const { device } = sender;
      request.correlation = { ...request.correlation, device, roundId };
      const accepted = () => reply.status(202).send({ accepted: true as const });

      const run = options.findRun(roundId);
      if (run === undefined) {
        throw (await options.isKnown(roundId))
          ? failure("round/stale-round", `rounds: ${roundId} is over`)
          : failure("round/unknown-round", `rounds: no round ${roundId}`);
      }
      // Nobody stands in the queue who is not invited.
      if (run.invitationOf(device).status === "not-invited") throw notInvited(device, roundId);
      return places.run(async () => {
        // After the wait for a place: the deadline may have passed meanwhile.
        const invitation = run.invitationOf(device);
        switch (invitation.status) {
          case "reported":
            if (invitation.claim.updateDigest !== digest) throw alreadyReported(digest);
            return accepted();
          case "closed":
            throw failure("round/deadline-passed", `rounds: reporting of ${roundId} has ended`);
          case "not-invited":
            throw notInvited(device, roundId);
          case "invited": {
            const { claim } = invitation;
            if (claim.updateDigest !== digest) {
              throw failure("update/digest-mismatch", `rounds: ${digest} was not announced by ${device}`, {
                detail: { announced: claim.updateDigest },
              });
            }
            if (claim.sizeBytes !== sizeBytes) throw wrongSize(sizeBytes, claim.sizeBytes);
            // Not destroyed when it is left early: the answer goes over the same socket.
            const source = (request.body as Readable).iterator({ destroyOnReturn: false });
            const pace = watchPace(options.clock, () => places.waiting > 0);
            try {
              await run.updates.upload(device, { claim, source: pace.watch(source) });
            } finally {
              pace.stop();
            }
            return accepted();
          }
          default: {
            const never: never = invitation;
            throw new TypeError(`rounds: no such invitation ${String(never)}`);
          }
        }
      });
    },
  );
}

function notInvited(device: DeviceId, roundId: RoundId): Error {
  return failure("update/not-invited", `rounds: ${device} was not asked to report to ${roundId}`);
}

function alreadyReported(digest: Digest): Error {
  return failure("update/already-reported", `rounds: another update than ${digest} was counted already`);
}

function wrongSize(got: number, announced: number): Error {
  return got > announced
    ? failure("update/too-large", `rounds: ${got} bytes, announced were ${announced}`, {
        detail: { got, announced },
      })
    : failure("update/truncated", `rounds: ${got} bytes, announced were ${announced}`, {
        detail: { got, announced },
      });
}
