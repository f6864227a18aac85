import { TributaryError, type DeviceId } from "@tributary/core";
import type { ParticipantEffect, ParticipantInput } from "@tributary/federation";
import type { RoundOffer } from "@tributary/protocol";
import type { SimulationClock } from "./clock.ts";
import type { DeviceLink } from "./device-link.ts";
import type { DeviceWork } from "./device-work.ts";
import type { ServerPort } from "./simulated-device.ts";

export interface DeviceReportsOptions {
  readonly id: DeviceId;
  readonly clock: SimulationClock;
  readonly link: DeviceLink;
  readonly work: DeviceWork;
  /** Of the round that it is in. */
  readonly server: () => ServerPort;
  readonly give: (input: ParticipantInput) => void;
}

type SecureStepEffect = Extract<ParticipantEffect, { type: "secure-step" }>;

/** How what a device has made leaves it: one upload, or the steps of a secure cohort. */
export class DeviceReports {
  readonly #options: DeviceReportsOptions;

  constructor(options: DeviceReportsOptions) {
    this.#options = options;
  }

  upload(offer: RoundOffer): void {
    const { id, link, work, give } = this.#options;
    const { roundId } = offer;
    const { body } = work;
    const server = this.#options.server();
    link.transfer("up", body.length, {
      arrived: async () => {
        server.upload(id, offer, body);
        await work.spent();
        link.travel(() => give({ type: "uploaded", roundId, now: this.#now() }));
      },
      failed: ({ code, retryable }) =>
        give({ type: "upload-failed", roundId, code, retryable, now: this.#now() }),
    });
  }

  answer({ roundId, request }: SecureStepEffect): void {
    const { id, link, work, give } = this.#options;
    const { step, member } = request;
    const server = this.#options.server();
    const session = work.member;
    const failed = ({ code, retryable }: { readonly code: string; readonly retryable: boolean }): void =>
      give({ type: "secure-failed", roundId, step, code, retryable, now: this.#now() });
    const put = (answer: Uint8Array): void =>
      link.transfer("up", answer.length, {
        arrived: async () => {
          await server.secureAnswer(id, step, member, answer);
          link.travel(() => give({ type: "secure-answered", roundId, step, now: this.#now() }));
        },
        failed,
      });
    link.travel(async () => {
      try {
        const made = session.answerTo(step);
        if (made !== undefined) return put(await made);
        const input = server.secureInput(step, member);
        link.transfer("down", input.length, {
          arrived: async () => put(await session.answer(step, input)),
          failed,
        });
      } catch (error) {
        if (!TributaryError.is(error)) throw error;
        failed(error);
      }
    });
  }

  #now(): number {
    return this.#options.clock.now();
  }
}
