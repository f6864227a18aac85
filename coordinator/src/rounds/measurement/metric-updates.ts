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
import type { Reported } from "../reported-files.ts";
import type { RoundUpdatesOptions } from "../round-updates.ts";
import { readWhole, receiveUpdate, type UpdateFile } from "../update-file.ts";

/** Bodies a device may send in one round that do not pass; then it is out. */
const MAX_ATTEMPTS = 5;

export interface MetricUpdatesOptions extends Pick<
  RoundUpdatesOptions,
  "files" | "invitationOf" | "accept" | "refuse" | "written"
> {
  readonly config: Pick<RoundConfig, "roundId" | "task">;
  readonly plan: Pick<MeasurementPlan, "kind" | "metrics">;
}

/**
 * The vectors of a round of measurements, one by one: each is checked, and then is part of the sum. They stay on disk until the
 * round ends: whoever goes on with it after a crash adds them again, in the same order.
 */
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
      await this.#attempt(device, claim, source);
    } catch (error) {
      const coded = toFailure(error);
      if (coded.code.startsWith("update/")) this.#noteFailure(device, coded);
      throw coded;
    }
  }

  async #attempt(device: DeviceId, claim: UpdateClaim, source: AsyncIterable<Uint8Array>): Promise<void> {
    const { files, accept, written } = this.#options;
    await files.open();
    let file = await receiveUpdate(
      abortableChunks(source, this.#ended.signal, this),
      files.incoming(device),
      { digest: claim.updateDigest, sizeBytes: claim.sizeBytes },
    );
    let counted = false;
    try {
      const vector = this.#vectorOf(await readWhole(file), claim);
      file = await files.keep(file, device, claim.updateDigest);
      this.#ended.signal.throwIfAborted();
      this.#checked.set(device, vector);
      counted = accept(device, claim);
      if (!counted) {
        throw failure(
          "round/deadline-passed",
          `rounds: the vector of ${device} came after reporting had ended`,
        );
      }
    } finally {
      this.#checked.delete(device);
      if (!counted) await file.remove();
    }
    await written();
  }

  /** The machine counted this device's vector. */
  accumulate(device: DeviceId): void {
    const vector = this.#checked.get(device);
    if (vector === undefined) throw new TypeError(`rounds: no checked vector of ${device}`);
    addMetrics(this.sums, vector);
  }

  /**
   * Adds what an earlier process of this round had counted, in its order.
   *
   * @throws `store/corrupt`
   */
  async restore(reported: readonly Reported[]): Promise<void> {
    const { files } = this.#options;
    await files.open();
    await files.removeOthers(reported);
    for (const each of reported) {
      const file: UpdateFile = await files.find(each);
      addMetrics(this.sums, this.#vectorOf(await readWhole(file), each.claim));
      this.bytesUp += file.sizeBytes;
    }
  }

  async close(reason: TributaryError): Promise<void> {
    this.#ended.abort(reason);
    await this.#options.files.remove();
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
