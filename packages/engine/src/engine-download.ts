/** How much of an engine's WASM file has arrived: engines fetch their files themselves, and tell nobody. */

/** Bytes as they are after decompression. */
export interface EngineDownload {
  readonly receivedBytes: number;
  /** Absent where the server does not say, or sends the file compressed, whose length is another. */
  readonly totalBytes?: number;
}

/** A file that comes within a second is told of some ten times. */
const MIN_INTERVAL_MS = 100;

/** Runs what may fetch the file, and tells what arrives of it meanwhile. Other requests are left alone. */
export async function watchEngineDownload<T>(
  onProgress: ((download: EngineDownload) => void) | undefined,
  work: () => Promise<T>,
): Promise<T> {
  if (onProgress === undefined) return await work();
  const original = globalThis.fetch;
  const watching: typeof fetch = async (input, init) => {
    const response = await original(input, init);
    return isWasm(response) ? counted(response, onProgress) : response;
  };
  globalThis.fetch = watching;
  try {
    return await work();
  } finally {
    // Somebody may have put his own in its place since.
    if (globalThis.fetch === watching) globalThis.fetch = original;
  }
}

function isWasm({ ok, body, url }: Response): boolean {
  return ok && body !== null && URL.canParse(url) && new URL(url).pathname.endsWith(".wasm");
}

/** The same answer, whose body is counted on its way: it is compiled while it arrives, as before. */
function counted(response: Response, onProgress: (download: EngineDownload) => void): Response {
  const { body, headers, status, statusText } = response;
  const length = headers.has("content-encoding") ? 0 : Number(headers.get("content-length"));
  const total = length > 0 ? { totalBytes: length } : {};
  let receivedBytes = 0;
  let toldAtMs = Number.NEGATIVE_INFINITY;
  const counting = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform(chunk, controller) {
      receivedBytes += chunk.byteLength;
      controller.enqueue(chunk);
      const now = performance.now();
      if (now - toldAtMs < MIN_INTERVAL_MS) return;
      toldAtMs = now;
      onProgress({ receivedBytes, ...total });
    },
    flush: () => onProgress({ receivedBytes, ...total }),
  });
  return new Response(body!.pipeThrough(counting), { headers, status, statusText });
}
