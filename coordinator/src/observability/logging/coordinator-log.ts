import { createLogger, silentLogger, type Clock, type LogFields, type Logger } from "@tributary/core";
import { pino, type DestinationStream, type Logger as Pino } from "pino";
import type { LogFormat, LogLevel } from "../../config.ts";
import { requestFields } from "./request-context.ts";
import { hideFields, hideText } from "./secrets.ts";

export interface CoordinatorLogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  readonly clock: Clock;
  /** Secrets of this process: wherever they stand in a line, they are hidden. */
  readonly secrets: readonly string[];
  /** What ties a line to the trace that it was written in. */
  readonly traceFields?: () => LogFields;
  /** @defaultValue standard error */
  readonly stream?: DestinationStream;
}

/** One log for everything: the HTTP server writes to it by pino, all rooms by the logger of core. */
export interface CoordinatorLog {
  readonly log: Logger;
  readonly pino: Pino;
}

/**
 * One JSON object a line, or lines for people. Every line has `time`, `level` and `msg`; what belongs together has the same `requestId`,
 * `roundId`, `task` or `device`. Devices are known by their random ids alone, and no line holds a secret.
 */
export async function openLog(options: CoordinatorLogOptions): Promise<CoordinatorLog> {
  const { level, format, clock, secrets, traceFields, stream } = options;
  const root = pino(
    {
      level,
      // The process and its host are known to whoever collects the lines.
      base: null,
      timestamp: () => `,"time":"${new Date(clock.now()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }), log: hideFields },
      hooks: { streamWrite: (line) => hideText(line, secrets) },
      ...(traceFields === undefined ? {} : { mixin: traceFields }),
    },
    format === "pretty" ? await prettyStream(stream) : (stream ?? process.stderr),
  );
  return { pino: root, log: level === "silent" ? silentLogger : loggerOver(root, level, clock) };
}

function loggerOver(root: Pino, level: Exclude<LogLevel, "silent">, clock: Clock): Logger {
  return createLogger({
    level,
    clock,
    write: ({ level: of, message, fields }) => root[of]({ ...requestFields(), ...fields }, message),
  });
}

/** Lines for people are made here and now: at the rates at which people read, that costs nothing. */
async function prettyStream(stream: DestinationStream | undefined): Promise<DestinationStream> {
  const { prettyFactory } = await import("pino-pretty");
  const out = stream ?? process.stderr;
  const colorize = stream === undefined && process.stderr.isTTY;
  const linesOf = prettyFactory({ colorize, translateTime: "SYS:HH:MM:ss.l" });
  return { write: (line) => void out.write(linesOf(line) ?? line) };
}
