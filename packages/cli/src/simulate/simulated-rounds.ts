import type { RoundRow, SimulationProgress } from "@tributary/simulator";
import ora, { type Ora } from "ora";
import { verdictLine } from "../commands/results.ts";
import { formatBytes, formatNumber, formatPercent } from "../start/format.ts";

/** Shows simulated rounds as they end, and on a terminal the one under way. */
export interface RoundPrinter {
  round(row: RoundRow): void;
  progress(progress: SimulationProgress): void;
  stop(): void;
}

interface Column {
  readonly title: string;
  readonly width: number;
  readonly cell: (row: RoundRow) => string;
}

const COLUMNS: readonly Column[] = [
  { title: "round", width: 5, cell: ({ round }) => String(round) },
  { title: "version", width: 7, cell: ({ version }) => (version === null ? "-" : String(version)) },
  { title: "base", width: 5, cell: ({ baseVersion }) => String(baseVersion) },
  { title: "offered", width: 7, cell: ({ offered }) => String(offered) },
  { title: "in the sum", width: 10, cell: ({ reported }) => String(reported) },
  { title: "dropouts", width: 8, cell: ({ dropouts }) => String(dropouts) },
  { title: "training loss", width: 13, cell: ({ trainLoss }) => formatNumber(trainLoss, 4) },
  { title: "loss", width: 7, cell: ({ loss }) => formatNumber(loss, 4) },
  { title: "accuracy", width: 8, cell: ({ accuracy }) => formatPercent(accuracy) },
  { title: "waited", width: 8, cell: (row) => waited(row) },
  { title: "took", width: 8, cell: ({ seconds }) => `${formatNumber(seconds, 1)} s` },
  { title: "up", width: 8, cell: ({ bytesUp }) => formatBytes(bytesUp) },
  { title: "down", width: 8, cell: ({ bytesDown }) => formatBytes(bytesDown) },
];

/** What not every round has. */
function remarks({ phase, reason, staleness, discount, candidate, verdict }: RoundRow): readonly string[] {
  return [
    ...(phase === "abandoned" ? [`abandoned: ${reason}`] : []),
    ...(staleness === null || staleness === 0
      ? []
      : [`${staleness} behind, counts ${formatNumber(discount, 2)}`]),
    ...(verdict === null ? [] : [`gate on version ${candidate}: ${verdictLine(verdict)}`]),
  ];
}

/** For the schedule, and then for devices. */
function waited({ scheduleSeconds, selectionSeconds }: RoundRow): string {
  const seconds = scheduleSeconds + (selectionSeconds ?? 0);
  return seconds >= 3600 ? `${formatNumber(seconds / 3600, 1)} h` : `${formatNumber(seconds, 1)} s`;
}

const BAR_WIDTH = 24;
/** How often the bar moves, in this machine's time. */
const SHOWN_EVERY_MS = 100;

/** @param print a line of the table; undefined: rounds are not shown */
export function createRoundPrinter(
  stream: NodeJS.WriteStream,
  print: ((line: string) => void) | undefined,
): RoundPrinter {
  const spinner: Ora | undefined = stream.isTTY ? ora({ stream, discardStdin: false }) : undefined;
  let shownAt = -Infinity;
  let begun = false;
  return {
    round(row) {
      if (print === undefined) return;
      spinner?.stop();
      if (!begun) print(COLUMNS.map(({ title, width }) => title.padStart(width)).join("  "));
      begun = true;
      const cells = COLUMNS.map(({ width, cell }) => cell(row).padStart(width)).join("  ");
      print([cells, ...remarks(row)].join("  "));
    },
    progress(progress) {
      const now = performance.now();
      if (spinner === undefined || now - shownAt < SHOWN_EVERY_MS) return;
      shownAt = now;
      spinner.start(barOf(progress));
    },
    stop: () => void spinner?.stop(),
  };
}

/** `[######------------------] round 12 of 50: training, 7 of 10 ready` */
export function barOf({ round, rounds, phase, ready, goalCount }: SimulationProgress): string {
  const full = Math.floor((BAR_WIDTH * (round - 1)) / rounds);
  const bar = `${"#".repeat(full)}${"-".repeat(BAR_WIDTH - full)}`;
  const counts = phase === "training" ? `, ${ready} of ${goalCount} ready` : "";
  return `[${bar}] round ${round} of ${rounds}: ${phase}${counts}`;
}
