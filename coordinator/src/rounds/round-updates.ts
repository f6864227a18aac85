import { failure, toFailure, type DeviceId, type TributaryError } from "@tributary/core";
import { SUM_ROWS, type Aggregation } from "@tributary/aggregation";
import type { Invitation, UpdateClaim } from "@tributary/federation";
import { activeRoundTrace } from "../observability/tracing/round-trace.ts";
import { traced } from "../observability/tracing/traced.ts";
import type { CheckedUpdate, RootUpdate, RoundMean, UpdateRules } from "@tributary/federation/aggregation";
import { addMetrics, createMetrics, trainingMetrics } from "@tributary/metrics";
import { LIMITS } from "@tributary/protocol";
import { abortableChunks } from "./abortable-chunks.ts";
import { SerialQueue } from "./serial-queue.ts";
import type { Reported, ReportedFiles } from "./reported-files.ts";
import { RoundFold, type Counted } from "./round-fold.ts";
import { checkUpdate } from "./update-check.ts";
import { CHUNK_BYTES, receiveUpdate, type UpdateFile } from "./update-file.ts";

/** Bodies a device may send in one round that do not pass; then it is out. */
const MAX_ATTEMPTS = 5;

export interface RoundUpdatesOptions {
  readonly rules: UpdateRules;
  readonly aggregation: Aggregation;
  /** Uploads lie here until the sum they are in is on disk, or, where the strategy compares them, until the round ends. */
  readonly files: ReportedFiles;
  readonly rootUpdate: RootUpdate;
  invitationOf(device: DeviceId): Invitation;
  /** Offers a checked update to the machine; true when it counts, and then `accumulate` was called meanwhile. */
  readonly accept: (device: DeviceId, claim: UpdateClaim) => boolean;
  /** Resolves when everything that the machine counted so far is in the journal. */
  readonly written: () => Promise<void>;
  /** An update did not pass; `final`: the device is out of the round. */
  refuse(device: DeviceId, error: TributaryError, final: boolean): void;
  /** The sum is lost: a file that was checked could not be read again. */
  failed(error: unknown): void;
}

interface Checked {
  readonly claim: UpdateClaim;
  readonly file: UpdateFile;
  readonly checked: CheckedUpdate;
}

interface Attempt {
  readonly abort: AbortController;
}

/**
 * The updates of one round: each goes to a file as it comes, is checked there, and is handed to the strategy's aggregate, all
 * in pieces and one after the other. Memory does not grow with the devices that report.
 */
export class RoundUpdates {
  readonly metrics = createMetrics(trainingMetrics);
  numExamples = 0;
  bytesUp = 0;
  readonly #options: RoundUpdatesOptions;
  readonly #queue = new SerialQueue();
  readonly #running = new Map<DeviceId, Attempt>();
  readonly #failures = new Map<DeviceId, number>();
  readonly #checked = new Map<DeviceId, Checked>();
  /** In the order that they counted in, on their way into the sum. */
  readonly #counted: Counted[] = [];
  readonly #fold: RoundFold;
  readonly #ended = new AbortController();
  #buffer: Uint8Array<ArrayBuffer> | undefined;

  constructor(options: RoundUpdatesOptions) {
    this.#options = options;
    this.#fold = new RoundFold(options.aggregation, options.rules, options);
  }

  /**
   * Takes one upload from beginning to end; resolves when the update counts, and a restart would know it.
   *
   * @throws `update/*`, `round/deadline-passed`, `store/unavailable`
   */
  async upload(
    device: DeviceId,
    body: { readonly claim: UpdateClaim; readonly source: AsyncIterable<Uint8Array> },
  ): Promise<void> {
    const { claim, source } = body;
    this.#running.get(device)?.abort.abort(superseded(device));
    const attempt: Attempt = { abort: new AbortController() };
    this.#running.set(device, attempt);
    try {
      await this.#attempt(device, claim, source, attempt.abort.signal);
    } catch (error) {
      const coded = toFailure(error);
      if (coded.code.startsWith("update/")) this.#noteFailure(device, coded);
      throw coded;
    } finally {
      if (this.#running.get(device) === attempt) this.#running.delete(device);
    }
  }

  /** The machine counted this device's update. */
  accumulate(device: DeviceId): void {
    const entry = this.#checked.get(device);
    if (entry === undefined) throw new TypeError(`rounds: no checked update of ${device}`);
    this.#checked.delete(device);
    const { checked } = entry;
    this.numExamples += checked.numExamples;
    addMetrics(this.metrics, checked.metrics);
    this.#counted.push({ ...entry, device });
    this.#queue.run(() => this.#addCounted()).catch((error: unknown) => this.#options.failed(error));
  }

  /**
   * Takes up what an earlier process of this round had counted, in its order.
   *
   * @throws `store/corrupt`
   */
  async restore(reported: readonly Reported[]): Promise<void> {
    const { files, rules } = this.#options;
    await files.open();
    await files.removeOthers(reported);
    const kept = await this.#queue.run(() => this.#fold.restore(reported));
    this.bytesUp = kept.bytesUp;
    this.numExamples = kept.numExamples;
    for (const [i, value] of kept.metrics.entries()) this.metrics[i]! += value;
    for (const each of kept.missing) {
      const file = await files.find(each);
      const checked = await this.#queue.run(() =>
        checkUpdate(file, this.#chunk(), rules, each.claim.numExamples),
      );
      this.bytesUp += file.sizeBytes;
      this.#checked.set(each.device, { claim: each.claim, file, checked });
      this.accumulate(each.device);
    }
  }

  /** The one update of the round, once everything that was counted is in it. */
  mean(): Promise<RoundMean> {
    return this.#queue.run(() => {
      activeRoundTrace()?.foldEnded();
      return traced("aggregation.mean", {}, () => this.#fold.mean(this.#ended.signal));
    });
  }

  /** Stops what is still coming in and forgets what came. */
  async close(reason: TributaryError): Promise<void> {
    for (const { abort } of this.#running.values()) abort.abort(reason);
    this.#ended.abort(reason);
    this.#buffer = undefined;
    await this.#queue.run(() => this.#fold.close());
    await this.#options.files.remove();
  }

  async #attempt(
    device: DeviceId,
    claim: UpdateClaim,
    source: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<void> {
    const { rules, files } = this.#options;
    requireRoom(claim, rules);
    await files.open();
    const body = await receiveUpdate(abortableChunks(source, signal, this), files.incoming(device), {
      digest: claim.updateDigest,
      sizeBytes: claim.sizeBytes,
    });
    let file = body;
    let counted = false;
    try {
      const checked = await this.#queue.run(async () => {
        signal.throwIfAborted();
        return checkUpdate(body, this.#chunk(), rules, claim.numExamples);
      });
      file = await files.keep(body, device, claim.updateDigest);
      signal.throwIfAborted();
      this.#checked.set(device, { claim, file, checked });
      counted = this.#options.accept(device, claim);
      if (!counted) {
        throw failure("round/deadline-passed", `rounds: update of ${device} came after reporting had ended`);
      }
    } finally {
      if (!counted) {
        this.#checked.delete(device);
        await file.remove();
      }
    }
    await this.#options.written();
  }

  /** What counted meanwhile is added together. */
  async #addCounted(): Promise<void> {
    const counted = this.#counted.splice(0, SUM_ROWS);
    if (counted.length === 0) return;
    const add = () => this.#fold.add(counted, this.bytesUp);
    await (activeRoundTrace()?.folding(counted.length, add) ?? add());
  }

  #chunk(): Uint8Array<ArrayBuffer> {
    return (this.#buffer ??= new Uint8Array(CHUNK_BYTES));
  }

  #noteFailure(device: DeviceId, error: TributaryError): void {
    if (this.#options.invitationOf(device).status !== "invited") return;
    const failures = (this.#failures.get(device) ?? 0) + 1;
    this.#failures.set(device, failures);
    this.#options.refuse(device, error, !error.retryable || failures >= MAX_ATTEMPTS);
  }
}

/** Refused before a byte is read: it cannot be an update of this plan. */
function requireRoom({ sizeBytes }: UpdateClaim, rules: UpdateRules): void {
  const largest = (rules.weightCount + rules.statisticCount) * 4 + LIMITS.maxUpdateHeaderBytes;
  if (sizeBytes <= Math.min(largest, LIMITS.maxUpdateBytes)) return;
  throw failure("update/too-large", `update: ${sizeBytes} bytes announced, at most ${largest} are expected`, {
    detail: { sizeBytes, maxBytes: largest },
  });
}

function superseded(device: DeviceId): TributaryError {
  return failure("federation/busy", `rounds: ${device} began another upload`);
}
