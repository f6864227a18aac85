import { symbolValues, type Alphabet } from "./delta-format.ts";

/**
 * Adds what symbols stand for to the values that are there, modulo 256; `escapes` are those of the groups that no symbol stands for, of
 * which so many were taken before.
 *
 * @returns how many escapes are taken then, or wanted
 */
export type AddSymbols = (symbols: Uint8Array, values: Int8Array, escaped: number) => number;

export function symbolAdder(alphabet: Alphabet, escapes: Int8Array): AddSymbols {
  const { group } = alphabet;
  const { patterns, packed } = patternsOf(alphabet);
  const escape = group === 1 ? -1 : alphabet.symbols - 1;
  return (symbols, values, escaped) => {
    if (values.byteOffset % 4 === 0) addWords(symbols, values, patterns, packed, group);
    else {
      const aligned = values.slice();
      addWords(symbols, aligned, patterns, packed, group);
      values.set(aligned);
    }
    if (escape < 0) return escaped;
    let taken = escaped;
    for (let i = symbols.indexOf(escape); i >= 0; i = symbols.indexOf(escape, i + 1)) {
      const end = Math.min(values.length, (i + 1) * group);
      for (let at = i * group; at < end; at++) values[at] = values[at]! + escapes[taken + at - i * group]!;
      taken += group;
    }
    return taken;
  };
}

/** Four values at a time, whatever their groups; nothing is asked of a symbol, as what comes next is random. An escape adds zeros. */
function addWords(
  symbols: Uint8Array,
  values: Int8Array,
  patterns: Int8Array,
  packed: Int32Array,
  group: number,
): void {
  const words = new Int32Array(values.buffer, values.byteOffset, values.length >> 2);
  let word = 0;
  let i = 0;
  if (group === 4) {
    for (; word < words.length; i++, word++) words[word] = addBytes(words[word]!, packed[symbols[i]!]!);
  } else if (group === 3) {
    for (; word + 3 <= words.length; i += 4, word += 3) {
      const a = packed[symbols[i]!]!;
      const b = packed[symbols[i + 1]!]!;
      const c = packed[symbols[i + 2]!]!;
      const d = packed[symbols[i + 3]!]!;
      words[word] = addBytes(words[word]!, a | (b << 24));
      words[word + 1] = addBytes(words[word + 1]!, (b >>> 8) | (c << 16));
      words[word + 2] = addBytes(words[word + 2]!, (c >>> 16) | (d << 8));
    }
  } else if (group === 2) {
    for (; word < words.length; i += 2, word++)
      words[word] = addBytes(words[word]!, packed[symbols[i]!]! | (packed[symbols[i + 1]!]! << 16));
  } else {
    // Bytes stand for themselves.
    for (; i < symbols.length; i++) values[i] = values[i]! + symbols[i]!;
  }
  for (let at = i * group; at < values.length; at++) {
    const symbol = symbols[Math.floor(at / group)]!;
    values[at]! += patterns[symbol * group + (at % group)]!;
  }
}

/** Sums of four bytes each, with no carry from one to the next. */
function addBytes(a: number, b: number): number {
  return ((a & 0x7f7f7f7f) + (b & 0x7f7f7f7f)) ^ ((a ^ b) & 0x80808080);
}

interface Patterns {
  readonly patterns: Int8Array;
  readonly packed: Int32Array;
}

/** Of the alphabets that were met: a model has many planes. */
const known = new Map<Alphabet, Patterns>();

function patternsOf(alphabet: Alphabet): Patterns {
  const before = known.get(alphabet);
  if (before !== undefined) return before;
  const patterns = symbolValues(alphabet);
  const made = { patterns, packed: packPatterns(patterns, alphabet.group) };
  known.set(alphabet, made);
  return made;
}

/** The values of each symbol in the low bytes of a number. */
function packPatterns(patterns: Int8Array, group: number): Int32Array {
  const packed = new Int32Array(Math.ceil(patterns.length / group));
  for (let i = 0; i < patterns.length; i++)
    packed[Math.floor(i / group)]! |= (patterns[i]! & 255) << (8 * (i % group));
  return packed;
}
