import { jsonOf } from "./read-input.ts";

/** A task document before it is checked: parts that options may add to. */
export interface TaskDocument {
  evaluation?: object;
  strategy?: object;
  reference?: string;
}

/** @throws as `jsonOf` */
export function parseTaskDocument(file: string, bytes: Uint8Array): TaskDocument {
  return jsonOf(file, bytes) as TaskDocument;
}
