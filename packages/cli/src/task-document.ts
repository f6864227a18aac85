import { failure } from "@tributary/core";

/** A task document before it is checked: parts that options may add to. */
export interface TaskDocument {
  evaluation?: object;
  strategy?: object;
  reference?: string;
}

/** @throws cli/file naming the file and where its JSON ends being JSON. */
export function parseTaskDocument(file: string, bytes: Uint8Array): TaskDocument {
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as TaskDocument;
  } catch (cause) {
    throw failure("cli/file", `${file} is no JSON document: ${(cause as Error).message}`, {
      cause,
      detail: { file },
    });
  }
}
