/** How long a clean stop may take before the process ends anyway. */
const GRACE_MS = 1_800;

/**
 * SIGINT and SIGTERM ask for a clean stop; a second one, or `GRACE_MS` without an end, kills. Closers run in reverse
 * order of registration, each even when another failed.
 */
export interface Shutdown {
  readonly signal: AbortSignal;
  onClose(close: () => unknown): void;
  /** Runs the closers once. */
  close(): Promise<void>;
}

export function createShutdown(onRequest: () => void): Shutdown {
  const controller = new AbortController();
  const closers: (() => unknown)[] = [];
  let closing: Promise<void> | undefined;

  const close = (): Promise<void> => {
    closing ??= (async () => {
      for (const closer of closers.toReversed()) {
        try {
          await closer();
        } catch (error) {
          console.error(`while stopping: ${error instanceof Error ? error.message : String(error)}`);
        }
      }
    })();
    return closing;
  };

  const request = (signal: NodeJS.Signals): void => {
    const code = signal === "SIGINT" ? 130 : 143;
    if (controller.signal.aborted) process.exit(code);
    onRequest();
    controller.abort(new DOMException(`stopped by ${signal}`, "AbortError"));
    setTimeout(() => process.exit(code), GRACE_MS).unref();
    void close().then(() => process.exit(0));
  };
  process.on("SIGINT", request).on("SIGTERM", request);

  return { signal: controller.signal, onClose: (closer) => void closers.push(closer), close };
}
