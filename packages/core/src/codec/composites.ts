import type { Codec, CodecType } from "./codec.ts";
import { bool, lengthPrefix } from "./primitives.ts";

/** A codec whose field may be left out of a struct. */
export interface OptionalCodec<T> extends Codec<T | undefined> {
  readonly optional: true;
}

// oxlint-disable-next-line typescript/no-explicit-any -- a codec is invariant: only `any` stands for "some codec"
type AnyCodec = Pick<Codec<any>, "read" | "write">;
type Fields = Readonly<Record<string, AnyCodec>>;
type OptionalKeys<F extends Fields> = {
  [K in keyof F]: F[K] extends { readonly optional: true } ? K : never;
}[keyof F];
type Simplify<T> = { [K in keyof T]: T[K] };

/** The object type of a struct's fields; `optional` fields become `name?: T`. */
export type StructType<F extends Fields> = Simplify<
  { [K in Exclude<keyof F, OptionalKeys<F>>]: CodecType<F[K]> } & {
    [K in OptionalKeys<F>]?: F[K] extends OptionalCodec<infer T> ? T : never;
  }
>;

/** Fields in the order they are written here; no tags, no padding. */
export function struct<const F extends Fields>(fields: F): Codec<StructType<F>> {
  const entries = Object.entries(fields);
  return {
    write(writer, value) {
      for (const [name, codec] of entries) {
        try {
          codec.write(writer, (value as Record<string, unknown>)[name]);
        } catch (error) {
          throw atField(name, error);
        }
      }
    },
    read(reader) {
      const value: Record<string, unknown> = {};
      for (const [name, codec] of entries) {
        reader.enter(name);
        const field = codec.read(reader);
        if (field !== undefined) value[name] = field;
        reader.leave();
      }
      return value as StructType<F>;
    },
  };
}

/** Names the field in the caller's own error, without losing its class. */
function atField(name: string, error: unknown): unknown {
  if (error instanceof RangeError) return new RangeError(`${name}.${error.message}`, { cause: error });
  if (error instanceof TypeError) return new TypeError(`${name}.${error.message}`, { cause: error });
  return error;
}

/** A byte 0 or 1, then the value; `undefined` (the key left out) is 0. */
export function optional<T>(codec: Codec<T>): OptionalCodec<T> {
  return {
    optional: true,
    write(writer, value) {
      bool.write(writer, value !== undefined);
      if (value !== undefined) codec.write(writer, value);
    },
    read: (reader) => (bool.read(reader) ? codec.read(reader) : undefined),
  };
}

/** Up to `max` items. */
export function list<T>(codec: Codec<T>, { max }: { max: number }): Codec<readonly T[]> {
  const prefix = lengthPrefix(max);
  return {
    write(writer, items) {
      prefix.write(writer, items.length);
      for (const item of items) codec.write(writer, item);
    },
    read(reader) {
      const length = prefix.read(reader);
      const items: T[] = [];
      for (let i = 0; i < length; i++) {
        reader.enter(i);
        items.push(codec.read(reader));
        reader.leave();
      }
      return items;
    },
  };
}

type Variants = Readonly<Record<string, readonly [tag: number, codec: AnyCodec]>>;

/** The union of a table's variants, told apart by the key `D`. */
export type UnionType<D extends string, V extends Variants> = {
  [K in keyof V & string]: Simplify<{ [P in D]: K } & CodecType<V[K][1]>>;
}[keyof V & string];

/**
 * One of several structs, told apart by a text key in memory and a stable one-byte tag on the wire:
 * `taggedUnion("type", { hello: [1, struct({ … })], heartbeat: [2, struct({ … })] })`. Tags are never reused.
 */
export function taggedUnion<const D extends string, const V extends Variants>(
  discriminant: D,
  variants: V,
): Codec<UnionType<D, V>> {
  const byTag = new Map<number, readonly [name: string, codec: AnyCodec]>();
  for (const [name, [tag, codec]] of Object.entries(variants)) {
    if (!Number.isInteger(tag) || tag < 0 || tag > 255)
      throw new RangeError(`taggedUnion: ${name} has tag ${tag}, 0 to 255 expected`);
    if (byTag.has(tag))
      throw new RangeError(`taggedUnion: tag ${tag} is used twice, by ${byTag.get(tag)![0]} and ${name}`);
    byTag.set(tag, [name, codec]);
  }
  return {
    write(writer, value) {
      const name = (value as Record<string, string>)[discriminant]!;
      const variant = Object.hasOwn(variants, name) ? variants[name] : undefined;
      if (variant === undefined) throw new TypeError(`taggedUnion: no variant ${JSON.stringify(name)}`);
      writer.u8(variant[0]);
      variant[1].write(writer, value);
    },
    read(reader) {
      reader.enter(discriminant);
      const tag = reader.u8();
      const found = byTag.get(tag);
      if (found === undefined) throw reader.fail("codec/unknown-tag", `no variant has tag ${tag}`);
      reader.leave();
      reader.enter(found[0]);
      const value = { [discriminant]: found[0], ...found[1].read(reader) };
      reader.leave();
      return value as UnionType<D, V>;
    },
  };
}

/** One of a fixed set of texts, as a stable byte: `choice({ committed: 1, abandoned: 2 })`. */
export function choice<const C extends Readonly<Record<string, number>>>(tags: C): Codec<keyof C & string> {
  const byTag = new Map(Object.entries(tags).map(([name, tag]) => [tag, name]));
  if (byTag.size !== Object.keys(tags).length) throw new RangeError("choice: a tag is used twice");
  return {
    write(writer, value) {
      const tag = Object.hasOwn(tags, value) ? tags[value] : undefined;
      if (tag === undefined)
        throw new TypeError(`choice: one of ${Object.keys(tags).join(", ")} expected, got ${String(value)}`);
      writer.u8(tag);
    },
    read(reader) {
      const tag = reader.u8();
      const name = byTag.get(tag);
      if (name === undefined) throw reader.fail("codec/unknown-tag", `no choice has tag ${tag}`);
      return name;
    },
  };
}

/** Another view of a codec's value. What `to` throws becomes `codec/invalid-value` with the field path. */
export function mapped<A, B>(codec: Codec<A>, to: (value: A) => B, from: (value: B) => A): Codec<B> {
  return {
    write: (writer, value) => codec.write(writer, from(value)),
    read(reader) {
      const raw = codec.read(reader);
      try {
        return to(raw);
      } catch (cause) {
        throw reader.fail(
          "codec/invalid-value",
          cause instanceof Error ? cause.message : String(cause),
          cause,
        );
      }
    },
  };
}
