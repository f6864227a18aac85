import { realpath } from "node:fs/promises";
import { dirname, join, sep } from "node:path";
import { failure } from "@tributary/core";
import { encodeModel, PROTO_LIMITS, readModel } from "@tributary/onnx";
import { readInput } from "../read-input.ts";

/** The operator's own file may hold any graph; its weights lie elsewhere and would not count. */
const OWN_FILE = { ...PROTO_LIMITS, structureBytes: 2 ** 30 };

/**
 * An ONNX file as one piece: where its weights lie in other files of its folder, they are brought in. Links that lead
 * out of the folder are not followed.
 * @throws cli/file, and any onnx/*.
 */
export async function readModelFile(file: string): Promise<Uint8Array> {
  const bytes = await readInput(file);
  let others = 0;
  const model = await readModel(
    bytes,
    (location) => {
      others += 1;
      return readBeside(file, location);
    },
    OWN_FILE,
  );
  return others === 0 ? bytes : encodeModel(model);
}

async function readBeside(file: string, location: string): Promise<Uint8Array> {
  const path = join(dirname(file), location);
  const folder = await realpath(dirname(file));
  const real = await realpath(path).catch(() => undefined);
  if (real !== undefined && !real.startsWith(folder + sep)) {
    throw failure(
      "onnx/external-data",
      `onnx: ${path} is a link out of the model's folder; put the file itself there`,
      { detail: { file: path } },
    );
  }
  return readInput(path);
}
