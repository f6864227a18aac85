import Type, { type Static } from "typebox";
import { TensorNameSchema as TensorName } from "./schema.ts";

const TokenId = Type.Integer({ minimum: 0, maximum: 2 ** 31 - 1 });

/**
 * Text becomes an input `[batch, tokens]` of token ids. Which tokenizer it is the model says, by name; the app brings it along, because
 * vocabularies are large and come in many forms.
 */
export const TextProcessing = Type.Object(
  {
    kind: Type.Literal("text"),
    /** As the app names it among its `tokenizers`, such as `bert-base-uncased`. */
    tokenizer: Type.String({ pattern: "^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$" }),
    /** Tokens of a text; what is longer is cut at its end, by the tokenizer, or else as it is. */
    maxTokens: Type.Integer({ minimum: 1, maximum: 65_536 }),
    /** What shorter texts end with. Left out: 0. */
    padId: Type.Optional(TokenId),
    /** The input that says which tokens are text (1) and which are not (0). */
    mask: Type.Optional(TensorName),
    /** The input of segments, 0 where the tokenizer gives none. */
    typeIds: Type.Optional(TensorName),
  },
  { additionalProperties: false },
);
export type TextProcessing = Static<typeof TextProcessing>;

interface Port {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
}

const ID_DTYPES: readonly string[] = ["int64", "int32"];
const MASK_DTYPES: readonly string[] = [...ID_DTYPES, "bool", "float32"];

/** Why text cannot become this input, or the inputs beside it; undefined where it can. */
export function textFault(name: string, text: TextProcessing, ports: readonly Port[]): string | undefined {
  const { maxTokens, mask, typeIds } = text;
  const names = [name, mask, typeIds].filter((each) => each !== undefined);
  if (new Set(names).size !== names.length) return "ids, mask and type ids are inputs of their own";
  for (const each of names) {
    const dtypes = each === mask ? MASK_DTYPES : ID_DTYPES;
    const port = ports.find((one) => one.name === each);
    if (port === undefined) return `the model has no input "${each}"`;
    const { dtype, shape } = port;
    if (!dtypes.includes(dtype)) return `input "${each}" has to be ${dtypes.join(" or ")}, it is ${dtype}`;
    if (shape.length !== 2) {
      return `an input for text has the shape [batch, tokens], "${each}" has [${shape.join()}]`;
    }
    if (shape[1]! >= 0 && shape[1] !== maxTokens) {
      return `input "${each}" takes ${shape[1]} tokens, maxTokens is ${maxTokens}`;
    }
  }
  return undefined;
}
