import { systemClock, type Clock } from "./clock.ts";
import { TributaryError } from "./errors.ts";

export type LogFields = Readonly<Record<string, unknown>>;
export type LogLevel = "debug" | "info" | "warn" | "error";

/** Messages are constant texts; what varies goes into fields. Never tokens, keys, examples or updates. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds these fields to every entry. */
  child(fields: LogFields): Logger;
}

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

/** Drops everything. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
};

/** Human lines on the console, from `info` on: `message key=value`. */
export const consoleLogger: Logger = createLogger({
  write({ level, message, fields }) {
    const words = Object.entries(fields).map(
      ([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`,
    );
    console[level]([message, ...words].join(" "));
  },
});
