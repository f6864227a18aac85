import { encode, list, sha256, struct, text, u32, type Digest } from "@tributary/core";
import { checkSchema, SCHEMA_LIMITS, type ParameterSchema } from "./parameter-set.ts";

const SchemaBytes = list(
  struct({
    name: text({ max: 4 * SCHEMA_LIMITS.maxNameBytes }),
    shape: list(u32, { max: SCHEMA_LIMITS.maxDimensions }),
  }),
  { max: SCHEMA_LIMITS.maxParameters },
);
const SchemaDocument = struct({ kind: text({ max: 32 }), parameters: SchemaBytes });

/** Names and shapes in order, as one SHA-256: updates of two models never mix. */
export function schemaDigest(schema: ParameterSchema): Digest {
  checkSchema(schema);
  return sha256(encode(SchemaDocument, { kind: "tributary-schema-v1", parameters: schema }));
}
