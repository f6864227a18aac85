import { createLogger } from "./create-logger.ts";
import type { Logger } from "./log.ts";

/** Human lines on the console, from `info` on: `message key=value`. */
export const consoleLogger: Logger = createLogger({
  write({ level, message, fields }) {
    const words = Object.entries(fields).map(
      ([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`,
    );
    console[level]([message, ...words].join(" "));
  },
});
