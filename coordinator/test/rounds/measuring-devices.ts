import { createHash } from "node:crypto";
import { asTaskName, type Digest } from "@tributary/core";
import { pairedVector, type MeasuredExample } from "@tributary/metrics";
import {
  encodeUpdate,
  isHeldOut,
  metricsDigest,
  parseMeasurementPlan,
  type MeasurementOffer,
  type MeasurementPlan,
} from "@tributary/protocol";
import { expect, vi } from "vitest";
import { RoundDevice, type Body, type Room } from "./rounds-room.ts";

// Devices that measure, as far as rounds of measurements and gates meet them.

const task = asTaskName("digits");
/** Of the gates here. */
export const HELD_OUT_SHARE = 0.5;
const bounds = { maxLoss: 1000, maxDifference: 10 };

/** `better` of ten examples are right with the candidate only, `worse` with the current version only. */
export function paired(better: number, worse: number): Float64Array<ArrayBuffer> {
  const current: MeasuredExample[] = [];
  const candidate: MeasuredExample[] = [];
  for (let i = 0; i < 10; i++) {
    const [gained, lost] = [i < better, i >= 10 - worse];
    current.push({ loss: gained ? 2 : 1 + i / 100, correct: !gained });
    candidate.push({ loss: lost ? 2 : 1 - i / 100, correct: !lost });
  }
  return pairedVector(current, candidate, bounds);
}

/** Devices that train and devices that are held out. */
export async function split(room: Room, training: number, heldOut: number) {
  const found = { training: [] as RoundDevice[], heldOut: [] as RoundDevice[] };
  while (found.training.length < training || found.heldOut.length < heldOut) {
    const identity = await room.identity();
    const role = isHeldOut(identity.deviceId, task, HELD_OUT_SHARE) ? "heldOut" : "training";
    if (found[role].length === (role === "heldOut" ? heldOut : training)) continue;
    const device = await RoundDevice.connect(room.url, identity);
    device.checkIn();
    found[role].push(device);
  }
  return found;
}

export async function planOf(room: Room, offer: MeasurementOffer): Promise<MeasurementPlan> {
  return parseMeasurementPlan(
    new Uint8Array(await (await fetch(`${room.url}/v1/blobs/${offer.planDigest}`)).arrayBuffer()),
  );
}

export function bodyOf(
  offer: MeasurementOffer,
  plan: MeasurementPlan,
  vector: Float64Array,
  numExamples = 10,
): Body {
  const schemaDigest = metricsDigest(plan.metrics);
  const header = { roundId: offer.roundId, task: offer.task, schemaDigest, numExamples, metrics: [] };
  const bytes = encodeUpdate(header, Float32Array.from(vector));
  return { bytes, digest: createHash("sha256").update(bytes).digest("hex") as Digest, numExamples };
}

/** From offer to the answer of the upload. */
export async function tell(room: Room, device: RoundDevice, vector: Float64Array) {
  const offer = await device.socket.next("offer-measurement");
  return { offer, answer: await answerOffer(room, device, offer, vector) };
}

/** Of an offer that came before. */
export async function answerOffer(
  room: Room,
  device: RoundDevice,
  offer: MeasurementOffer,
  vector: Float64Array,
  numExamples = 10,
) {
  const body = bodyOf(offer, await planOf(room, offer), vector, numExamples);
  device.ready(offer, body);
  const request = await device.socket.next("request-report");
  return device.put(request, body);
}

export async function ended(room: Room, number = 1) {
  return vi.waitFor(
    async () => {
      const round = (await room.store.rounds.list(task)).find((row) => row.number === number);
      expect(round?.endedAt).toBeTypeOf("number");
      return round!;
    },
    { timeout: 15_000, interval: 20 },
  );
}
