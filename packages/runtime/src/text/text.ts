/** Text, as apps have it. */

/** What a tokenizer makes of a text. */
export interface Tokens {
  /** In the order of the text, with what the model wants around them, such as [CLS] and [SEP]. */
  readonly ids: ArrayLike<number | bigint>;
  /** Segments, one for each token. */
  readonly typeIds?: ArrayLike<number | bigint>;
}

/**
 * An app's tokenizer, which runs in the page.
 *
 * @param options.maxTokens - most tokens of the model's input: who cuts by himself keeps what has to be at the end
 */
export type Tokenizer = (
  text: string,
  options: { readonly maxTokens: number },
) => Tokens | ArrayLike<number | bigint> | Promise<Tokens | ArrayLike<number | bigint>>;

/** By the names that models know them by. */
export type Tokenizers = Readonly<Record<string, Tokenizer>>;

/** One text, or one for each row. */
export type TextInput = string | readonly string[];

export function isText(value: unknown): value is TextInput {
  return typeof value === "string" || (Array.isArray(value) && typeof value[0] === "string");
}
