import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";

/** `fetch` that also reads files: those that are there are 200, all others 404. Ranges are not looked at. */
export const fetchWithFiles: typeof fetch = async (input, init) => {
  const url = input instanceof Request ? input.url : String(input);
  if (!url.startsWith("file:")) return await fetch(input, init);
  const path = fileURLToPath(url);
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile() !== true) return new Response(null, { status: 404 });
  const stream = createReadStream(path, init?.signal ? { signal: init.signal } : {});
  return new Response(Readable.toWeb(stream) as ReadableStream<Uint8Array>, {
    headers: { "Content-Length": String(found.size) },
  });
};
