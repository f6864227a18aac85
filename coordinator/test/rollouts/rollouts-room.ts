import { join } from "node:path";
import {
  asModelName,
  asModelVersion,
  asPopulationName,
  asDeviceId,
  encodeHex,
  sha256Bytes,
  encodeUtf8,
  silentLogger,
  systemRandom,
} from "@tributary/core";
import { createVirtualClock } from "@tributary/core/testing";
import { count, createMetrics, healthMetrics, record as observe } from "@tributary/metrics";
import { bindWeights, buildLinear, splitWeights } from "@tributary/onnx";
import { readRollout, readWithdrawnVersions, rolloutPath, withdrawnPath } from "@tributary/protocol";
import { parameterSet } from "@tributary/tensor";
import { openFolderBlobStore } from "../../src/adapters/blob/folder-blob-store.ts";
import { createInProcessBus } from "../../src/adapters/bus/in-process-bus.ts";
import { openSqlMetadataStore } from "../../src/adapters/sql/sql-metadata-store.ts";
import { OPERATOR_BY_PROCESS } from "../../src/audit/actors.ts";
import { resolveConfig } from "../../src/config.ts";
import type { BusTopics } from "../../src/ports/bus.ts";
import { createRegistry } from "../../src/registry/registry.ts";
import { createReleases } from "../../src/releases/releases.ts";
import { createRollouts } from "../../src/rollouts/rollouts.ts";
import { createSteadyNow } from "../../src/steady-time.ts";
import { temporaryFolder } from "../temporary-folder.ts";

export const DIGITS = asModelName("digits");
const DEFAULT = asPopulationName("default");

/** What a device tells of a version. */
export interface Told {
  readonly runs?: number;
  readonly crashes?: number;
  readonly selfCheckFailures?: number;
  readonly errors?: number;
  readonly milliseconds?: number;
}

/** Rollouts on real rooms in a folder, at a time of their own. */
export async function openRolloutsRoom() {
  const folder = await temporaryFolder();
  const clock = createVirtualClock({ startMs: Date.UTC(2026, 0, 1) });
  const env = { clock, random: systemRandom, log: silentLogger };
  const config = resolveConfig({ dataDir: folder.path });
  const blobs = await openFolderBlobStore({ folder: join(folder.path, "blobs") });
  const pushed: BusTopics["release"][] = [];

  const rooms = async () => {
    const store = await openSqlMetadataStore({ path: join(folder.path, "tributary.db") });
    const bus = createInProcessBus(silentLogger);
    bus.subscribe("release", (release) => void pushed.push(release));
    const releases = await createReleases({ config, env, store });
    const registry = createRegistry({
      store,
      blobs,
      bus,
      env,
      releases,
      strategies: config.strategies,
      issuerPublicKey: new Uint8Array(32),
    });
    const steadyNow = createSteadyNow(clock);
    const rollouts = createRollouts({ env, steadyNow, store, blobs, bus, releases });
    const close = async () => {
      await rollouts.close();
      await releases.close();
      await bus.close();
      await store.close();
    };
    return { store, bus, releases, registry, rollouts, close };
  };
  let open = await rooms();

  const { graph, parameters } = splitWeights(buildLinear({ seed: "rollouts" }));
  const fileOf = (scale: number) =>
    bindWeights(
      graph,
      parameterSet(
        parameters.schema,
        parameters.values.map((value) => scale * value),
      ),
    );

  const document = async (path: string): Promise<Uint8Array | undefined> => {
    const target = await open.store.releases.target(path);
    return target && blobs.bytes(target.digest);
  };

  return {
    clock,
    env,
    blobs,
    pushed,
    get rooms() {
      return open;
    },
    /** As after a crash: what was not stored is gone. */
    async restart(): Promise<void> {
      await open.close();
      open = await rooms();
    },
    /** Version 1 is released, the others are not. */
    async publish(versions: number): Promise<void> {
      for (let i = 0; i < versions; i++) {
        await open.registry.publish(DIGITS, fileOf(1 + i / 100), OPERATOR_BY_PROCESS, { release: i === 0 });
      }
    },
    /** A report of a device, as the route stores it. */
    async tell(device: number, version: number, told: Told = {}): Promise<void> {
      const { runs = 10, crashes = 0, selfCheckFailures = 0, errors = 0, milliseconds = 5 } = told;
      const deviceId = asDeviceId(encodeHex(sha256Bytes(encodeUtf8(`device ${device}`)).subarray(0, 16)));
      const key = { deviceId, model: DIGITS, version: asModelVersion(version) };
      const before = await open.store.deviceHealth.get(key);
      const sums = before === undefined ? createMetrics(healthMetrics) : Float64Array.from(before.counts);
      count(healthMetrics, sums, "runs", runs);
      count(healthMetrics, sums, "crashes", crashes);
      count(healthMetrics, sums, "selfCheckFailures", selfCheckFailures);
      count(healthMetrics, sums, "errors.other", errors);
      for (let run = 0; run < runs; run++) observe(healthMetrics, sums, "latency", milliseconds);
      const at = clock.now();
      const more = {
        population: DEFAULT,
        engine: "ort-wasm",
        sessions: [],
        firstAt: before?.firstAt ?? at,
        at,
      };
      await open.store.deviceHealth.put({ ...key, ...more, counts: Array.from(sums) }, 8);
    },
    async look(afterMs = 0): Promise<void> {
      clock.advance(afterMs);
      await open.rollouts.look();
    },
    rolloutFile: async (channel = "stable") => {
      const bytes = await document(rolloutPath(DIGITS, channel));
      return bytes && readRollout(bytes);
    },
    withdrawnFile: async () => {
      const bytes = await document(withdrawnPath(DIGITS));
      return bytes && readWithdrawnVersions(bytes);
    },
    document,
    points: async (channel = "stable") => (await open.store.channels.get(DIGITS, channel))?.version,
    async dispose(): Promise<void> {
      await open.close();
      await blobs.close();
      await folder.remove();
    },
  };
}

export type RolloutsRoom = Awaited<ReturnType<typeof openRolloutsRoom>>;
