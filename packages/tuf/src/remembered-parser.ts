import { copyBytes, equalBytes } from "@tributary/core";
import type { Envelope, MetadataByRole, TufRole } from "./metadata.ts";
import type { MetadataParser } from "./parse-metadata.ts";

/** Files of a refresh, and those of the one before, which are read again from the store. */
const MAX_REMEMBERED = 16;

/** Gives what it gave before for the same bytes: a refresh reads again what the one before has read. */
export function rememberedParser(parse: MetadataParser): MetadataParser {
  let known: { readonly role: TufRole; readonly file: Envelope<MetadataByRole[TufRole]> }[] = [];
  return async <R extends TufRole>(role: R, bytes: Uint8Array): Promise<Envelope<MetadataByRole[R]>> => {
    const found = known.find((each) => each.role === role && equalBytes(each.file.bytes, bytes));
    const file = (found?.file as Envelope<MetadataByRole[R]>) ?? (await parse(role, copyBytes(bytes)));
    known = [{ role, file }, ...known.filter((each) => each !== found)].slice(0, MAX_REMEMBERED);
    return file;
  };
}
