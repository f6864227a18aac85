/** What is in a sealed page: examples, with what the policy has to know of each. */
import { bytes, decode, digest, encode, f64, list, struct, u53, type CodecType } from "@tributary/core";
import { MAX_EXAMPLE_BYTES, type StoredExample } from "../store/device-store.ts";
import { decodeExample, encodeExample } from "../store/example-codec.ts";

/** Most examples of a page, and most bytes of one that has several. */
export const PAGE_EXAMPLES = 128;
const PAGE_BYTES = 1024 * 1024;

const entry = struct({
  sequence: u53,
  addedAtMs: u53,
  draw: f64,
  contentHash: digest,
  /** Codes of ports and lengths come on top of an example's own bytes. */
  example: bytes({ max: MAX_EXAMPLE_BYTES + 1024 * 1024 }),
});
const page = list(entry, { max: PAGE_EXAMPLES });

/** An example as it lies in a page. */
export type PageEntry = CodecType<typeof entry>;

/** Splits what is added at once into pages. */
export function toPages(entries: readonly PageEntry[]): PageEntry[][] {
  const pages: PageEntry[][] = [];
  let sizeBytes = 0;
  for (const each of entries) {
    const last = pages.at(-1);
    if (last === undefined || last.length === PAGE_EXAMPLES || sizeBytes + each.example.length > PAGE_BYTES) {
      pages.push([each]);
      sizeBytes = each.example.length;
    } else {
      last.push(each);
      sizeBytes += each.example.length;
    }
  }
  return pages;
}

export function encodePage(entries: readonly PageEntry[]): Uint8Array<ArrayBuffer> {
  return encode(page, entries);
}

export function decodePage(body: Uint8Array): readonly PageEntry[] {
  return decode(page, body);
}

export function toEntry(example: StoredExample, facts: Omit<PageEntry, "example">): PageEntry {
  return { ...facts, example: encodeExample(example) };
}

export function exampleIn(each: PageEntry): StoredExample {
  return decodeExample(each.example);
}

/** The class of a label; of one with several, those that are classes. Undefined: it has none. */
export function classNameOf(label: StoredExample["label"]): string | undefined {
  if (typeof label === "number") return String(label);
  if (label instanceof Float32Array) return undefined;
  const classes = Object.entries(label).filter(([, value]) => typeof value === "number");
  return classes.length === 0 ? undefined : JSON.stringify(classes.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
