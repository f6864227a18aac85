import { copyBytes, equalBytes } from "@tributary/core";
import type { Envelope, MetadataByRole, TufRole } from "./metadata.ts";
import type { MetadataParser } from "./parse-metadata.ts";

/** Files of a refresh, and those of the one before, which are read again from the store. */
const MAX_REMEMBERED = 16;

/** Gives what it gave before for the same bytes: a refresh reads again what the one before has read. */
export function rememberedParser(parse: MetadataParser): MetadataParser {
  const known: Envelope<MetadataByRole[TufRole]>[] = [];
  return async <R extends TufRole>(role: R, bytes: Uint8Array) => {
    const found = known.find((file) => file.signed.role === role && equalBytes(file.bytes, bytes));
    if (found !== undefined) return found as Envelope<MetadataByRole[R]>;
    const file = await parse(role, copyBytes(bytes));
    known.push(file);
    if (known.length > MAX_REMEMBERED) known.shift();
    return file;
  };
}
