/** The examples of a device: which ones are kept, in the order in which they came, sealed where they lie. */
import { digestOf, encodeUtf8, type Digest, type Env, type ModelName } from "@tributary/core";
import type { DeviceStore, ExamplePage, StoredExample } from "../store/device-store.ts";
import { encodeInputs } from "../store/example-codec.ts";
import { EXAMPLE_DEFAULTS, retained, type ExamplePolicy, type PolicyEntry } from "./example-policy.ts";
import {
  classNameOf,
  decodePage,
  encodePage,
  exampleIn,
  toEntry,
  toPages,
  type PageEntry,
} from "./example-pages.ts";
import { createSealing } from "./sealing.ts";

export interface ExamplesOptions {
  readonly store: Pick<DeviceStore, "examples" | "examplesKey" | "needsExtractableKeys">;
  readonly env: Pick<Env, "clock" | "random">;
  /** What holds for a model; undefined: the defaults. */
  readonly policyOf: (model: ModelName) => ExamplePolicy | undefined;
}

/** Everything that is done to the examples of one device: one at a time, and what is too old is erased before it. */
export interface Examples {
  /** Adds them in their order; of all that there are then, those stay that the policy says. */
  add(model: ModelName, examples: readonly StoredExample[]): Promise<void>;
  count(model: ModelName): Promise<number>;
  /** All that are kept, oldest first. */
  read(model: ModelName): Promise<readonly StoredExample[]>;
  /** Of the examples and their order: another one once any was added or removed. */
  revision(model: ModelName): Promise<Digest>;
  clear(model: ModelName): Promise<void>;
  /** Erases those of all models. @returns what there was */
  clearAll(): Promise<readonly ErasedExamples[]>;
  /** Settles when nothing is under way. */
  settled(): Promise<void>;
}

export interface ErasedExamples {
  readonly model: string;
  /** Undefined where they could not be read any more. */
  readonly count: number | undefined;
  readonly sizeBytes: number;
}

/** An example that is known by what the policy looks at. */
type Known = PolicyEntry;

interface Incoming extends PolicyEntry {
  readonly entry: PageEntry;
}

export function createExamples({ store, env, policyOf }: ExamplesOptions): Examples {
  const { examples: pages } = store;
  const sealing = createSealing(store, env.random);
  /** Of each model, what is in each page. A page never changes, so that it is opened once; other tabs add and remove some. */
  const known = new Map<ModelName, Map<number, readonly Known[]>>();
  let tail: Promise<unknown> = Promise.resolve();
  const inOrder = <T>(task: () => Promise<T>): Promise<T> => {
    const result = tail.then(task);
    tail = result.catch(() => undefined);
    return result;
  };

  const opened = async (model: ModelName, sealed: Uint8Array<ArrayBuffer>): Promise<readonly PageEntry[]> =>
    decodePage(await sealing.open(contextOf(model), sealed));

  const sealedPages = async (
    model: ModelName,
    groups: readonly (readonly PageEntry[])[],
  ): Promise<Uint8Array<ArrayBuffer>[]> =>
    await Promise.all(groups.map((entries) => sealing.seal(contextOf(model), encodePage(entries))));

  const toIncoming = async (examples: readonly StoredExample[], firstSequence: number): Promise<Incoming[]> =>
    await Promise.all(
      examples.map(async (example, at) => {
        const facts = {
          sequence: firstSequence + at,
          addedAtMs: Math.max(0, Math.floor(env.clock.now())),
          draw: drawFrom(env.random.bytes(8)),
          contentHash: await digestOf(encodeInputs(example)),
        };
        return { ...facts, className: classNameOf(example.label), entry: toEntry(example, facts) };
      }),
    );

  /** What there is, with pages that were not known opened. Examples of an earlier release are sealed first. */
  const look = async (model: ModelName): Promise<Map<number, readonly Known[]>> => {
    const ids = await pages.ids(model);
    const seen = known.get(model) ?? new Map<number, readonly Known[]>();
    const next = new Map<number, readonly Known[]>();
    const unknown = ids.filter((id) => !seen.has(id));
    const read = unknown.length === 0 ? [] : await pages.read(model, unknown);
    const plain = read.filter((page) => "plain" in page);
    if (plain.length > 0) {
      await sealPlain(model, plain);
      return await look(model);
    }
    const found = new Map(
      await Promise.all(
        read.map(async (page): Promise<[number, Known[]]> => {
          const entries = "sealed" in page ? await opened(model, page.sealed) : [];
          return [page.id, entries.map(toKnown)];
        }),
      ),
    );
    for (const id of ids) {
      const entries = seen.get(id) ?? found.get(id);
      if (entries !== undefined) next.set(id, entries);
    }
    known.set(model, next);
    return next;
  };

  const sealPlain = async (
    model: ModelName,
    plain: readonly Extract<ExamplePage, { readonly plain: StoredExample }>[],
  ): Promise<void> => {
    const incoming = await toIncoming(
      plain.map((page) => page.plain),
      0,
    );
    const add = await sealedPages(model, toPages(incoming.map(({ entry }) => entry)));
    await pages.change(model, { add, remove: plain.map(({ id }) => id) });
  };

  /** Makes what is kept what the policy says, with `incoming` in it. */
  const settle = async (model: ModelName, incoming: readonly Incoming[]): Promise<readonly Known[]> => {
    const index = await look(model);
    const all = [...index.values()].flat();
    const policy = policyOf(model) ?? EXAMPLE_DEFAULTS;
    const stay = new Set<PolicyEntry>(retained(policy, [...all, ...incoming], env.clock.now()));
    const touched = [...index].filter(([, entries]) => entries.some((entry) => !stay.has(entry)));
    const kept = incoming.filter((entry) => stay.has(entry)).map(({ entry }) => entry);
    if (touched.length === 0 && kept.length === 0) return all;
    // What stays of a page that loses some is written anew.
    const left = await leftOf(model, touched, stay);
    const groups = [...(left.length === 0 ? [] : toPages(left)), ...toPages(kept)];
    const ids = await pages.change(model, {
      add: await sealedPages(model, groups),
      remove: touched.map(([id]) => id),
    });
    for (const [id] of touched) index.delete(id);
    for (const [at, entries] of groups.entries()) {
      index.set(ids[at]!, entries.map(toKnown));
    }
    return [...index.values()].flat();
  };

  const leftOf = async (
    model: ModelName,
    touched: readonly (readonly [number, readonly Known[]])[],
    stay: ReadonlySet<PolicyEntry>,
  ): Promise<PageEntry[]> => {
    const partly = touched.filter(([, entries]) => entries.some((entry) => stay.has(entry)));
    if (partly.length === 0) return [];
    const read = await pages.read(
      model,
      partly.map(([id]) => id),
    );
    const staying = new Map(
      partly.map(([id, entries]) => [
        id,
        new Set(entries.filter((entry) => stay.has(entry)).map(({ sequence }) => sequence)),
      ]),
    );
    const entries = await Promise.all(
      read.map(async (page) => {
        const all = "sealed" in page ? await opened(model, page.sealed) : [];
        return all.filter(({ sequence }) => staying.get(page.id)!.has(sequence));
      }),
    );
    return entries.flat();
  };

  const erase = async (model: ModelName): Promise<void> => {
    known.delete(model);
    await pages.clear(model);
  };

  return {
    add: (model, examples) =>
      inOrder(async () => {
        const index = await look(model);
        const before = [...index.values()].flat();
        const last = before.reduce((most, { sequence }) => Math.max(most, sequence), -1);
        const incoming = await toIncoming(examples, last + 1);
        const drop = policyOf(model)?.duplicates === "drop";
        await settle(model, drop ? withEarlierDraws(before, incoming) : incoming);
      }),
    count: (model) => inOrder(async () => (await settle(model, [])).length),
    read: (model) =>
      inOrder(async () => {
        await settle(model, []);
        const read = await pages.read(model);
        const entries = await Promise.all(
          read.map(async (page) => ("sealed" in page ? await opened(model, page.sealed) : [])),
        );
        return entries
          .flat()
          .toSorted((a, b) => a.sequence - b.sequence)
          .map(exampleIn);
      }),
    revision: (model) =>
      inOrder(async () => {
        const kept = await settle(model, []);
        const order = kept.toSorted((a, b) => a.sequence - b.sequence);
        const text = order
          .map(({ contentHash, className }) => `${contentHash} ${className ?? ""}\n`)
          .join("");
        return await digestOf(encodeUtf8(text));
      }),
    clear: (model) => inOrder(() => erase(model)),
    clearAll: () =>
      inOrder(async () => {
        const erased: ErasedExamples[] = [];
        for (const model of await pages.models()) {
          const read = await pages.read(model);
          const sizeBytes = read.reduce((sum, page) => sum + ("sealed" in page ? page.sealed.length : 0), 0);
          const count = await look(model).then(
            (index) => [...index.values()].flat().length,
            () => undefined,
          );
          if (count !== 0) erased.push({ model, count, sizeBytes });
          await erase(model);
        }
        return erased;
      }),
    settled: async () => void (await tail),
  };
}

/** An example that comes again is no more likely to stay than it was. */
function withEarlierDraws(before: readonly Known[], incoming: readonly Incoming[]): Incoming[] {
  const draws = new Map(before.map(({ contentHash, draw }) => [contentHash, draw]));
  return incoming.map((each) => {
    const draw = draws.get(each.contentHash) ?? each.draw;
    draws.set(each.contentHash, draw);
    return { ...each, draw, entry: { ...each.entry, draw } };
  });
}

function toKnown(entry: PageEntry): Known {
  const { sequence, addedAtMs, draw, contentHash } = entry;
  return { sequence, addedAtMs, draw, contentHash, className: classNameOf(exampleIn(entry).label) };
}

function contextOf(model: ModelName): string {
  return `examples of ${model}`;
}

/** In [0, 1), 53 bits. */
function drawFrom(bytes: Uint8Array<ArrayBuffer>): number {
  const view = new DataView(bytes.buffer);
  return ((view.getUint32(0) >>> 5) * 67_108_864 + (view.getUint32(4) >>> 6)) / 9_007_199_254_740_992;
}
