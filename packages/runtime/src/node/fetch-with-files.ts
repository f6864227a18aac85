import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { Fetch } from "../transport/requests.ts";
import { nodeFetch } from "./node-fetch.ts";

/** Also reads files: those that are there are 200, all others 404. Ranges are not looked at. */
export const fetchWithFiles: Fetch = async (url, init) => {
  if (!url.startsWith("file:")) return await nodeFetch(url, init);
  const path = fileURLToPath(url);
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile() !== true) return new Response(null, { status: 404 });
  const stream = createReadStream(path, { signal: init.signal });
  return new Response(Readable.toWeb(stream) as ReadableStream<Uint8Array>, {
    headers: { "Content-Length": String(found.size) },
  });
};
