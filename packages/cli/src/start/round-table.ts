import type { RoundView } from "@tributary/api-client";
import { counted } from "../counted.ts";
import { formatBytes, formatNumber, formatPercent } from "./format.ts";

interface Column {
  readonly title: string;
  readonly width: number;
  readonly cell: (round: RoundView) => string;
}

/** One row a round, as the terminal shows it. */
const COLUMNS: readonly Column[] = [
  { title: "round", width: 5, cell: (round) => String(round.number) },
  { title: "version", width: 7, cell: (round) => (round.version === null ? "-" : String(round.version)) },
  { title: "participants", width: 12, cell: (round) => String(round.reported) },
  { title: "dropouts", width: 8, cell: (round) => String(round.dropouts) },
  { title: "secure", width: 6, cell: ({ secure }) => secureWord(secure) },
  { title: "loss", width: 7, cell: (round) => formatNumber(round.loss ?? round.trainLoss, 4) },
  { title: "accuracy", width: 8, cell: (round) => formatPercent(round.accuracy) },
  { title: "seconds", width: 7, cell: (round) => formatNumber(round.seconds, 1) },
  { title: "up", width: 8, cell: (round) => formatBytes(round.bytesUp) },
  { title: "down", width: 8, cell: (round) => formatBytes(round.bytesDown) },
];

/** Whether the coordinator saw the sum alone: "trial" below sixteen devices, where that hides little. */
function secureWord(secure: RoundView["secure"]): string {
  if (secure === null) return "no";
  return secure.private ? "yes" : "trial";
}

export function roundTableHeader(): string {
  return COLUMNS.map(({ title, width }) => title.padStart(width)).join("  ");
}

/** A committed round's row; an abandoned one says why in its place. */
export function roundTableRow(round: RoundView): string {
  const cells = COLUMNS.map(({ width, cell }) => cell(round).padStart(width)).join("  ");
  return round.phase === "abandoned" ? `${cells}  abandoned: ${round.reason ?? "no reason given"}` : cells;
}

/** The phase under way in one line. */
export function phaseLine(round: RoundView): string {
  const number = `round ${round.number}`;
  switch (round.phase) {
    case "selecting":
      return `${number}: waiting for devices, ${round.offered} offered`;
    case "training":
      return `${number}: training, ${round.ready} ready of ${round.offered} offered`;
    case "reporting":
      if (round.secure !== null) {
        const { step, survivors, cohort } = round.secure;
        return `${number}: securing (${step}), ${survivors} of ${cohort} in the sum`;
      }
      return `${number}: reporting, ${round.reported} of ${counted(round.cohort, "update")}`;
    case "aggregating":
      return `${number}: aggregating ${counted(round.reported, "update")}, evaluating`;
    case "committed":
      return `${number}: committed as version ${round.version}`;
    case "buffered":
      return `${number}: its sum waits for its version`;
    case "abandoned":
      return `${number}: abandoned, ${round.reason ?? "no reason given"}`;
  }
}
