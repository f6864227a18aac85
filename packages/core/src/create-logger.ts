import { systemClock, type Clock } from "./clock.ts";
import { TributaryError } from "./errors.ts";
import type { LogFields, Logger, LogLevel } from "./log.ts";

/** One log line before it is written. */
export interface LogEntry {
  readonly timeMs: number;
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

export interface LoggerOptions {
  /** @defaultValue "info" */
  readonly level?: LogLevel;
  readonly clock?: Clock;
  readonly write: (entry: LogEntry) => void;
}

const LEVELS: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/** A logger over any sink; errors among the fields become `{ code, message }`. */
export function createLogger(options: LoggerOptions): Logger {
  const { level = "info", clock = systemClock, write } = options;
  const withFields = (bound: LogFields): Logger => {
    const at = (entryLevel: LogLevel) => (message: string, fields?: LogFields) => {
      if (LEVELS[entryLevel] < LEVELS[level]) return;
      write({
        timeMs: clock.now(),
        level: entryLevel,
        message,
        fields: plainFields({ ...bound, ...fields }),
      });
    };
    return {
      debug: at("debug"),
      info: at("info"),
      warn: at("warn"),
      error: at("error"),
      child: (fields) => withFields({ ...bound, ...fields }),
    };
  };
  return withFields({});
}

function plainFields(fields: LogFields): LogFields {
  const plain: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(fields)) plain[key] = plainValue(value);
  return plain;
}

function plainValue(value: unknown): unknown {
  if (TributaryError.is(value)) return { code: value.code, message: value.message, ...value.detail };
  if (value instanceof Error) return { name: value.name, message: value.message, stack: value.stack };
  return value;
}
