import { open, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { decodeModel, PROTO_LIMITS, writeModel } from "@tributary/onnx";

/** Readers of protobuf refuse more in one file. */
const LARGEST_FILE = 2 ** 31 - 1;

/**
 * Writes an ONNX file: in one piece, or, where asked for or too large for one, with its weights in `FILE.data`.
 * Gives the files written.
 */
export async function writeModelFile(
  file: string,
  bytes: Uint8Array,
  externalData: boolean,
): Promise<readonly string[]> {
  if (!externalData && bytes.length <= LARGEST_FILE) {
    await writeFile(file, bytes);
    return [file];
  }
  const model = decodeModel(bytes, { ...PROTO_LIMITS, maxBytes: Number.MAX_SAFE_INTEGER });
  const written = writeModel(model, { externalData: { location: `${basename(file)}.data` } });
  await writeFile(file, written.model);
  if (written.externalData.length === 0) return [file];
  await using data = await open(`${file}.data`, "w");
  for (const part of written.externalData) await data.writeFile(part);
  return [file, `${file}.data`];
}
