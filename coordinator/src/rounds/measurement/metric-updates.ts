import { failure, toFailure, type DeviceId, type TributaryError } from "@tributary/core";
import {
  impossibleIn,
  metricSchemaOf,
  requireMetrics,
  type Invitation,
  type RoundConfig,
  type UpdateClaim,
} from "@tributary/federation";
import { addMetrics, createMetrics, trainingMetrics } from "@tributary/metrics";
import {
  decodeUpdateHeader,
  LIMITS,
  metricsDigest,
  updateValues,
  type MeasurementPlan,
} from "@tributary/protocol";
import { abortableChunks } from "../abortable-chunks.ts";
import type { RoundUpdatesOptions } from "../round-updates.ts";
import { receiveSmall } from "../secure/receive-small.ts";

/** Bodies a device may send in one round that do not pass; then it is out. */
const MAX_ATTEMPTS = 5;

export interface MetricUpdatesOptions extends Pick<
  RoundUpdatesOptions,
  "invitationOf" | "accept" | "refuse" | "written"
> {
  readonly config: Pick<RoundConfig, "roundId" | "task">;
  readonly plan: Pick<MeasurementPlan, "kind" | "metrics">;
}

/** The vectors of a round of measurements, one by one: each is checked, and then is part of the sum. */
export class MetricUpdates {
  /** Nothing was trained. */
  readonly metrics = createMetrics(trainingMetrics);
  /** Over all devices that count. */
  readonly sums: Float64Array<ArrayBuffer>;
  numExamples = 0;
  bytesUp = 0;
  readonly #options: MetricUpdatesOptions;
  readonly #checked = new Map<DeviceId, Float64Array<ArrayBuffer>>();
  readonly #failures = new Map<DeviceId, number>();
  readonly #ended = new AbortController();

  constructor(options: MetricUpdatesOptions) {
    this.#options = options;
    this.sums = createMetrics(metricSchemaOf(options.plan.metrics));
  }

  /**
   * Takes one upload from beginning to end; resolves when the vector counts.
   *
   * @throws `update/*`, `round/deadline-passed`, `store/unavailable`
   */
  async upload(
    device: DeviceId,
    { claim, source }: { readonly claim: UpdateClaim; readonly source: AsyncIterable<Uint8Array> },
  ): Promise<void> {
    try {
      const maxBytes = 4 * this.sums.length + LIMITS.maxUpdateHeaderBytes;
      if (claim.sizeBytes > maxBytes) {
        throw failure(
          "update/too-large",
          `update: ${claim.sizeBytes} bytes announced, at most ${maxBytes} are expected`,
          {
            detail: { sizeBytes: claim.sizeBytes, maxBytes },
          },
        );
      }
      const { signal } = this.#ended;
      const body = await receiveSmall(abortableChunks(source, signal, this), {
        digest: claim.updateDigest,
        sizeBytes: claim.sizeBytes,
      });
      this.#checked.set(device, this.#vectorOf(body, claim));
      if (!this.#options.accept(device, claim)) {
        throw failure(
          "round/deadline-passed",
          `rounds: the vector of ${device} came after reporting had ended`,
        );
      }
      await this.#options.written();
    } catch (error) {
      const coded = toFailure(error);
      if (coded.code.startsWith("update/")) this.#noteFailure(device, coded);
      throw coded;
    } finally {
      this.#checked.delete(device);
    }
  }

  /** The machine counted this device's vector. */
  accumulate(device: DeviceId): void {
    const vector = this.#checked.get(device);
    if (vector === undefined) throw new TypeError(`rounds: no checked vector of ${device}`);
    addMetrics(this.sums, vector);
  }

  async close(reason: TributaryError): Promise<void> {
    this.#ended.abort(reason);
  }

  #vectorOf(body: Uint8Array, { numExamples }: UpdateClaim): Float64Array<ArrayBuffer> {
    const { config, plan } = this.#options;
    const { metrics } = plan;
    const { header, payloadOffset, sizeBytes } = decodeUpdateHeader(
      body.subarray(0, LIMITS.maxUpdateHeaderBytes),
    );
    if (header.roundId !== config.roundId || header.task !== config.task) {
      throw failure("update/mismatched-round", `update: made for ${header.task} ${header.roundId}`, {
        detail: { roundId: header.roundId, task: header.task },
      });
    }
    const fits = header.schemaDigest === metricsDigest(metrics) && header.count === this.sums.length;
    if (!fits || sizeBytes !== body.length) {
      throw failure("update/wrong-shape", `update: ${header.count} metrics, expected ${this.sums.length}`, {
        detail: { got: header.count, expected: this.sums.length },
      });
    }
    if (header.numExamples !== numExamples) {
      throw failure(
        "update/invalid-weight",
        `update: ${header.numExamples} examples, announced were ${numExamples}`,
        {
          detail: { got: header.numExamples, announced: numExamples },
        },
      );
    }
    const vector = requireMetrics(metrics, updateValues(body.subarray(payloadOffset)));
    const wrong = impossibleIn(plan, vector, 1);
    if (wrong === undefined) return vector;
    throw failure("update/invalid-metrics", `update: ${wrong.what}`, { detail: wrong.detail });
  }

  #noteFailure(device: DeviceId, error: TributaryError): void {
    const invitation: Invitation = this.#options.invitationOf(device);
    if (invitation.status !== "invited") return;
    const failures = (this.#failures.get(device) ?? 0) + 1;
    this.#failures.set(device, failures);
    this.#options.refuse(device, error, !error.retryable || failures >= MAX_ATTEMPTS);
  }
}
