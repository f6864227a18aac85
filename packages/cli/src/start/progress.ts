import type { RoundView } from "@tributary/api-client";
import ora, { type Ora } from "ora";
import { phaseLine, roundTableHeader, roundTableRow } from "./round-table.ts";

/** Shows rounds on a terminal: one moving line for the phase under way, one table row for each round that ended. */
export interface Progress {
  /** A step of the start, before rounds run. */
  step(text: string): void;
  round(round: RoundView): void;
  line(text: string): void;
  stop(): void;
}

export function createProgress(stream: NodeJS.WriteStream): Progress {
  const spinner: Ora | undefined = stream.isTTY ? ora({ stream, discardStdin: false }) : undefined;
  const ended = new Set<string>();
  let headerShown = false;
  let lastStep = "";

  const print = (text: string): void => {
    const text_ = spinner?.isSpinning === true ? spinner.text : undefined;
    spinner?.stop();
    stream.write(`${text}\n`);
    if (text_ !== undefined) spinner?.start(text_);
  };

  return {
    step(text) {
      if (spinner !== undefined) spinner.start(text);
      else if (text !== lastStep) stream.write(`${text}\n`);
      lastStep = text;
    },
    round(round) {
      if (ended.has(round.id)) return;
      if (round.phase !== "committed" && round.phase !== "abandoned") {
        spinner?.start(phaseLine(round));
        return;
      }
      ended.add(round.id);
      spinner?.stop();
      if (!headerShown) stream.write(`\n${roundTableHeader()}\n`);
      headerShown = true;
      stream.write(`${roundTableRow(round)}\n`);
    },
    line: print,
    stop: () => void spinner?.stop(),
  };
}
