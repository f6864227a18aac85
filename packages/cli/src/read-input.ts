import { readFile } from "node:fs/promises";
import { failure } from "@tributary/core";

/** A file named on the command line. @throws cli/file naming the path and the reason. */
export async function readInput(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw failure("cli/file", `${file} cannot be read: ${(cause as Error).message}`, {
      cause,
      detail: { file },
    });
  }
}

/** What a file named on the command line says in JSON. @throws cli/file naming the path and where its JSON ends being JSON. */
export function jsonOf(file: string, bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw failure("cli/file", `${file} is no JSON document: ${(cause as Error).message}`, {
      cause,
      detail: { file },
    });
  }
}
