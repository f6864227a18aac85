import { existsSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** The clock of a process, which a test sets while it runs. */
export interface SettableClock {
  /** What the process has to be started with. */
  readonly start: { readonly nodeArgs?: readonly string[]; readonly env: Readonly<Record<string, string>> };
  /** Sets it to the machine's time and so much more. */
  set(aheadMs: number): void;
}

export type ClockKind = "Date" | "libfaketime";

const FAKETIME = [
  "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
  "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
  "/usr/lib64/faketime/libfaketimeMT.so.1",
].find((path) => existsSync(path));

/**
 * How a process's clock can be set here without setting the machine's. Everywhere: what its JavaScript sees of the clock, which
 * is `Date`. With libfaketime (Debian: `apt-get install libfaketime`): what its C library tells, and so whoever asks.
 */
export const CLOCKS: readonly ClockKind[] = FAKETIME === undefined ? ["Date"] : ["Date", "libfaketime"];

/** @param folder - for the file that says how the clock is set */
export function settableClock(kind: ClockKind, folder: string): SettableClock {
  const file = join(folder, "clock");
  const set = (aheadMs: number): void => {
    // At once: the process reads it all the time.
    writeFileSync(
      `${file}.new`,
      kind === "Date" ? `${aheadMs}` : `${aheadMs < 0 ? "" : "+"}${aheadMs / 1000}`,
    );
    renameSync(`${file}.new`, file);
  };
  set(0);
  const start: SettableClock["start"] =
    kind === "Date"
      ? {
          nodeArgs: ["--import", pathToFileURL(join(import.meta.dirname, "set-date.mjs")).href],
          env: { TRIBUTARY_TEST_CLOCK: file },
        }
      : {
          env: {
            LD_PRELOAD: FAKETIME!,
            FAKETIME_TIMESTAMP_FILE: file,
            FAKETIME_NO_CACHE: "1",
            FAKETIME_DONT_FAKE_MONOTONIC: "1",
          },
        };
  return { start, set };
}
