import { quantile } from "../bench/quantile.ts";
import type { FleetAdoption } from "../fleet/adopt-version.ts";
import type { ApplyTimes } from "./apply-in-chromium.ts";
import type { ReleaseSizes } from "./release-sizes.ts";
import type { Kind } from "./trained-versions.ts";

type Figures = Readonly<Record<string, number>>;

const median = (values: readonly number[]): number => quantile(values, 0.5);

/** Medians over the bases: of the CNN under the names that are asked for, of the others with theirs before. */
export function sizeFigures(
  kind: Kind,
  all: readonly ReleaseSizes[],
  accuracies: readonly number[],
): Figures {
  const name = (figure: string): string =>
    kind === "cnn" ? figure : `${kind}${figure[0]!.toUpperCase()}${figure.slice(1)}`;
  const figures: Record<string, number> = {};
  const [{ float32, int8 }] = all as [ReleaseSizes];
  figures[name("bases")] = all.length;
  figures[name("leastBaseAccuracy")] = Math.min(...accuracies);
  figures[name("float32Bytes")] = float32.bytes;
  figures[name("float32Gzip")] = float32.gzip;
  figures[name("float32Brotli")] = float32.brotli;
  figures[name("int8Bytes")] = int8.bytes;
  figures[name("int8Gzip")] = int8.gzip;
  figures[name("int8Brotli")] = int8.brotli;
  for (const round of Object.keys(all[0]!.int8After)) {
    const of = (part: "bytes" | "deflate" | "entropy"): number =>
      median(
        all.flatMap((sizes) => {
          const delta = sizes.int8After[round];
          return delta === undefined ? [] : [delta[part] / sizes.float32.bytes];
        }),
      );
    figures[name(`deltaRatio${round}`)] = of("bytes");
    figures[name(`entropyRatio${round}`)] = of("entropy");
    figures[name(`deflateRatio${round}`)] = of("deflate");
  }
  figures[name("trainDeltaRatio1")] = median(all.map((sizes) => sizes.stepAfter1 / sizes.float32.bytes));
  return figures;
}

export function applyFigures({ artifactBytes, deltaBytes, elapsedMs }: ApplyTimes): Figures {
  const applyMs = median(elapsedMs);
  return {
    applyMs,
    applyMBps: artifactBytes / 1e3 / applyMs,
    applyArtifactBytes: artifactBytes,
    applyDeltaBytes: deltaBytes,
  };
}

/** Rounds to the target with rounded steps and without, seed by seed. */
export interface PenaltyRuns {
  readonly int8: number[];
  readonly float32: number[];
}

/** Of the sums: what one seed gains by chance another loses. */
export function penaltyFigures({ int8, float32 }: PenaltyRuns): Figures {
  const sum = (values: readonly number[]): number => values.reduce((total, each) => total + each, 0);
  return {
    roundsTo97Int8: median(int8),
    roundsTo97Float32: median(float32),
    roundsPenalty: sum(int8) / sum(float32),
  };
}

/** The bound is for 1,000 devices. */
export function fleetFigures({ adoptions, ...times }: FleetAdoption): Figures {
  return {
    [`adoptionP99Ms${adoptions.length}`]: times.p99Ms,
    [`adoptionP50Ms${adoptions.length}`]: times.p50Ms,
    adoptionLoadingP99Ms: times.loadingP99Ms,
    adoptionDeviceCpuMs: times.deviceCpuMs,
    adoptionCoordinatorCpuMs: times.coordinatorCpuMs,
  };
}

const BOUNDS: readonly { readonly figure: string; readonly atLeast?: number; readonly atMost?: number }[] = [
  { figure: "leastBaseAccuracy", atLeast: 0.95 },
  { figure: "deltaRatio1", atMost: 0.025 },
  { figure: "deltaRatio5", atMost: 0.05 },
  { figure: "trainDeltaRatio1", atMost: 0.2 },
  { figure: "applyMBps", atLeast: 150 },
  { figure: "roundsPenalty", atMost: 1.05 },
  { figure: "adoptionP99Ms1000", atMost: 5_000 },
];

/** Of what was measured. */
export function otaVerdicts(figures: Figures): readonly string[] {
  return BOUNDS.filter(({ figure }) => figure in figures).map(
    ({ figure, atLeast = -Infinity, atMost = Infinity }) => {
      const value = figures[figure]!;
      const limit = atLeast > -Infinity ? `at least ${atLeast}` : `at most ${atMost}`;
      return `${value >= atLeast && value <= atMost ? "met   " : "MISSED"} ${figure} ${value.toFixed(4)} (${limit})`;
    },
  );
}
