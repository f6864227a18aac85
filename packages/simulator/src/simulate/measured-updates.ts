import { failure, sha256, type DeviceId, type RoundId } from "@tributary/core";
import { impossibleIn, metricSchemaOf, requireMetrics, type UpdateClaim } from "@tributary/federation";
import { addMetrics, createMetrics } from "@tributary/metrics";
import { decodeUpdateHeader, metricsDigest, updateValues, type EvaluationPlan } from "@tributary/protocol";

/** The vectors of a round of measurements where the server sees each: checked as a coordinator checks them, and added up. */
export class MeasuredUpdates {
  readonly sums: Float64Array<ArrayBuffer>;
  devices = 0;
  readonly #plan: EvaluationPlan;
  readonly #roundId: RoundId;
  readonly #checked = new Map<DeviceId, Float64Array<ArrayBuffer>>();

  constructor(plan: EvaluationPlan, roundId: RoundId) {
    this.#plan = plan;
    this.#roundId = roundId;
    this.sums = createMetrics(metricSchemaOf(plan.metrics));
  }

  /** @throws `update/*` */
  check(device: DeviceId, { updateDigest }: UpdateClaim, body: Uint8Array<ArrayBuffer>): void {
    const { metrics } = this.#plan;
    const { header, payloadOffset } = decodeUpdateHeader(body);
    const fits = header.schemaDigest === metricsDigest(metrics) && header.roundId === this.#roundId;
    if (sha256(body) !== updateDigest || !fits)
      throw failure("update/digest-mismatch", "update: the body is another than was announced");
    const vector = requireMetrics(metrics, updateValues(body.subarray(payloadOffset)));
    const wrong = impossibleIn(this.#plan, vector, 1);
    if (wrong !== undefined)
      throw failure("update/invalid-metrics", `update: ${wrong.what}`, { detail: wrong.detail });
    this.#checked.set(device, vector);
  }

  /** The machine counted this device's vector. */
  accumulate(device: DeviceId): void {
    addMetrics(this.sums, this.#checked.get(device)!);
    this.#checked.delete(device);
    this.devices += 1;
  }
}
