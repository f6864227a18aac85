/** Tells the coordinator how versions fare on this device. Loaded only where the app asked for it. */
import { encodeBase64url, encodeHex, toFailure, type Env, type Timer } from "@tributary/core";
import { count, createMetrics, healthMetrics, record, TELEMETRY_ERRORS } from "@tributary/metrics";
import { healthMessage, type HealthReport } from "@tributary/protocol";
import type { Identity } from "../identity.ts";
import type { Inference, ModelState } from "../runtime.ts";
import type { DeviceStore } from "../store/device-store.ts";
import type { FederationHttp } from "../transport/federation-http.ts";

/** The first report comes soon, because pages are left soon; at random within so long, so that not all come at once. */
const FIRST_MS = 10_000;
/** Versions that are told of; of more the one that did something least recently is forgotten. */
const MAX_VERSIONS = 8;
/** What runs here, kept over an end that nobody asked for. */
const RUNNING = "health:running";

export type RanVersion = Pick<HealthReport, "model" | "version" | "engine">;

export interface DeviceHealthPart {
  ran(state: ModelState, inference: Pick<Inference, "durationMs">): void;
  failed(state: ModelState, error: unknown): void;
  /** A version began to run; `checkFailed`: another engine or form of it computes wrong here, or cannot run. */
  running(state: ModelState, checkFailed: boolean): Promise<void>;
  /** The worker before this one was lost while the version ran. */
  crashed(state: ModelState): void;
  /** The process, or worker, before this one ended by a version that began to run, whatever ran beside it. */
  died(ran: RanVersion): void;
  /** Ends as it should; what was not told yet is not told any more. */
  close(): Promise<void>;
}

export interface DeviceHealthOptions {
  readonly env: Env;
  readonly settings: DeviceStore["settings"];
  readonly identity: Pick<Identity, "certificate" | "sign">;
  readonly http: Pick<FederationHttp, "tellHealth">;
  readonly population: string;
  readonly intervalMs: number;
  /** Whether the end of this device is always asked for: then what still runs at the next start had crashed. Tabs just end. */
  readonly endsCleanly: boolean;
  readonly closing: AbortSignal;
}

interface Told extends Pick<RanVersion, "model" | "version"> {
  engine: RanVersion["engine"];
  readonly vector: Float64Array<ArrayBuffer>;
  sequence: number;
  /** Sent, and not known to have arrived. */
  pending: HealthReport | undefined;
}

export async function createDeviceHealth(options: DeviceHealthOptions): Promise<DeviceHealthPart> {
  const { env, settings, identity, http, population, intervalMs, endsCleanly, closing } = options;
  const firstMs = Math.min(FIRST_MS, intervalMs);
  const session = encodeHex(env.random.bytes(16));
  /** What ended without being asked to before this start, by model; it is counted once that is known to be its doing. */
  const atEnd = new Map<string, RanVersion>();
  /** Models of which a version ended the worker: `crashed` is not about what runs of them now. */
  const blamed = new Set<string>();
  /** In order of the last use. */
  const versions = new Map<string, Told>();
  const runs = new Map<string, RanVersion>();
  let timer: Timer | undefined;
  let ended = false;

  const toldOf = ({ model, version, engine }: RanVersion): Told => {
    const key = `${model} ${version}`;
    const told: Told = versions.get(key) ?? {
      model,
      version,
      engine,
      vector: createMetrics(healthMetrics),
      sequence: 0,
      pending: undefined,
    };
    told.engine = engine;
    versions.delete(key);
    versions.set(key, told);
    const [oldest] = versions.keys();
    if (versions.size > MAX_VERSIONS && oldest !== undefined) versions.delete(oldest);
    timer ??= ended ? undefined : env.clock.schedule(firstMs * (0.5 + env.random.bytes(1)[0]! / 512), tell);
    return told;
  };

  const send = async (told: Told): Promise<void> => {
    if (told.pending === undefined && told.vector.some((each) => each > 0)) {
      const { model, version, engine, vector } = told;
      told.sequence += 1;
      told.pending = {
        formatVersion: 1,
        model,
        version,
        engine,
        session,
        sequence: told.sequence,
        counts: Array.from(vector),
      };
      vector.fill(0);
    }
    const { pending: report } = told;
    if (report === undefined) return;
    const certificate = await identity.certificate(closing);
    const proof = await identity.sign(healthMessage(certificate, report));
    await http.tellHealth({
      population,
      certificate: encodeBase64url(certificate),
      proof: encodeBase64url(proof),
      report,
      signal: closing,
    });
    told.pending = undefined;
  };

  const tell = (): void => {
    (async () => {
      for (const told of Array.from(versions.values())) {
        try {
          await send(told);
        } catch (error) {
          const { code, retryable } = toFailure(error);
          // The next report says it again, unless nobody will ever want to hear it.
          if (!retryable && !code.startsWith("identity/")) told.pending = undefined;
          env.log.debug("how a version fares could not be told", { model: told.model, code });
        }
      }
    })()
      .catch(() => undefined)
      .finally(() => {
        if (!ended) timer = env.clock.schedule(intervalMs, tell);
      });
  };

  const add = (ran: RanVersion, name: "runs" | "crashes" | "selfCheckFailures"): Told => {
    const told = toldOf(ran);
    count(healthMetrics, told.vector, name);
    return told;
  };

  if (endsCleanly) {
    const crashed = await settings.read(RUNNING).catch(() => undefined);
    for (const ran of readRunning(crashed)) atEnd.set(ran.model, ran);
  }

  return {
    ran(state, { durationMs }) {
      record(healthMetrics, add(ranOf(state), "runs").vector, "latency", durationMs);
    },
    failed(state, error) {
      const { code } = toFailure(error);
      const known = TELEMETRY_ERRORS.find((each) => each === code) ?? "other";
      count(healthMetrics, toldOf(ranOf(state)).vector, `errors.${known}`);
    },
    async running(state, checkFailed) {
      const ran = ranOf(state);
      const ended = atEnd.get(ran.model);
      if (atEnd.delete(ran.model)) add(ended!, "crashes");
      runs.set(ran.model, ran);
      if (checkFailed) add(ran, "selfCheckFailures");
      if (endsCleanly) await settings.write(RUNNING, [...runs.values()]).catch(() => undefined);
    },
    crashed(state) {
      if (!blamed.delete(state.model)) add(ranOf(state), "crashes");
    },
    died(ran) {
      atEnd.delete(ran.model);
      blamed.add(ran.model);
      add(ran, "crashes");
    },
    async close() {
      ended = true;
      timer?.cancel();
      if (endsCleanly) await settings.delete(RUNNING).catch(() => undefined);
    },
  };
}

function ranOf({ model, version, engine }: ModelState): RanVersion {
  return { model, version, engine } as RanVersion;
}

function readRunning(value: unknown): readonly RanVersion[] {
  return Array.isArray(value) ? (value as RanVersion[]).slice(0, MAX_VERSIONS) : [];
}
