import { failure } from "@tributary/core";

/** @throws cli/file naming the file and where its JSON ends being JSON. */
export function parseTaskDocument(file: string, bytes: Uint8Array): { evaluation?: object } {
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as { evaluation?: object };
  } catch (cause) {
    throw failure("cli/file", `${file} is no JSON document: ${(cause as Error).message}`, {
      cause,
      detail: { file },
    });
  }
}
