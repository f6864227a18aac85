import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import path from "node:path";
import { createGunzip } from "node:zlib";
import { failure } from "@tributary/core";
import { MAX_FILE_BYTES } from "./data-set.ts";

/**
 * The text of a file, piece by piece; one whose name ends in `.gz` is unpacked. More than `MAX_FILE_BYTES`, packed or
 * unpacked, are refused.
 *
 * @throws `dataset/not-found`, `dataset/too-large`, `dataset/invalid` for what cannot be unpacked
 */
export async function* readSource(file: string): AsyncGenerator<Buffer> {
  const name = path.basename(file);
  const detail = { file: name };
  const found = await stat(file).catch(() => undefined);
  if (found?.isFile() !== true) {
    throw failure("dataset/not-found", `${file}: there is no such file`, { detail });
  }
  const tooLarge = (): Error =>
    failure("dataset/too-large", `${name}: more than ${MAX_FILE_BYTES} bytes`, { detail });
  if (found.size > MAX_FILE_BYTES) throw tooLarge();
  const raw = createReadStream(file);
  const source = name.endsWith(".gz") ? raw.compose(createGunzip()) : raw;
  let bytes = 0;
  try {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > MAX_FILE_BYTES) throw tooLarge();
      yield chunk;
    }
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code?.startsWith("Z_") !== true) throw cause;
    throw failure("dataset/invalid", `${name}: ${(cause as Error).message}`, { cause, detail });
  } finally {
    raw.destroy();
  }
}
