import { failure, TributaryError } from "@tributary/core";

/** Where in a model something stands: how messages call it, and its path of fields. */
export interface Place {
  readonly label: string;
  /** `graph.nodes[3]` */
  readonly path: string;
}

/** Runs a step of reading; an error that does not know its place yet is told it. */
export function at<T>({ label, path }: Place, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!TributaryError.is(error) || typeof error.detail["path"] === "string") throw error;
    throw failure(error.code, `${error.message} (in ${label}, ${path})`, {
      cause: error,
      detail: { ...error.detail, path, node: label },
    });
  }
}

/** Reads every item of a list at its place. */
export function eachAt<P extends { name?: string }, T>(
  path: string,
  items: readonly P[] | undefined,
  read: (item: P, path: string) => T,
  labelOf: (item: P) => string = ({ name = "" }) => `"${name}"`,
): T[] {
  return (items ?? []).map((item, i) => {
    const place = `${path}[${i}]`;
    return at({ label: labelOf(item), path: place }, () => read(item, place));
  });
}
