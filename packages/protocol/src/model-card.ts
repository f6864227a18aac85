import Type, { type Static } from "typebox";
import { AliasSchema } from "./aliases.ts";
import { GraphPorts } from "./graph-ports.ts";
import { VersionView } from "./http.ts";
import {
  ChannelSchema,
  ModelNameSchema,
  nullable,
  readonlyArray,
  textEnum,
  TimestampSchema,
} from "./schema.ts";

/** Longest text of a field of a card's notes. */
export const MAX_NOTE_LENGTH = 4_000;
const Note = (description: string) => Type.String({ maxLength: MAX_NOTE_LENGTH, default: "", description });

/** What operators say of a model on the cards of its versions: `PUT /v1/models/:model/card-notes`, all of it at once. */
export const CardNotes = Type.Object(
  {
    intendedUse: Note("What it is for, and what it is not for"),
    limitations: Note("Where it does badly, and what is known of bias"),
    licence: Type.String({ maxLength: 200, default: "", description: "A name, such as Apache-2.0" }),
    contacts: readonlyArray(Type.String({ minLength: 1, maxLength: 200 }), {
      maxItems: 16,
      default: [],
      description: "Who is asked and told",
    }),
  },
  { additionalProperties: false },
);
export type CardNotes = Static<typeof CardNotes>;

export const CardNotesView = Type.Object({
  notes: nullable(CardNotes, { description: "Null: nobody wrote any" }),
  updatedAt: nullable(TimestampSchema),
});
export type CardNotesView = Static<typeof CardNotesView>;

/** `GET /v1/models/:model/versions/:version/card`: what is known of a version, for whoever is to use it. */
export const ModelCard = Type.Object({
  formatVersion: Type.Literal(1),
  model: ModelNameSchema,
  format: textEnum(["onnx", "tfjs"]),
  inputs: GraphPorts,
  outputs: GraphPorts,
  classes: nullable(readonlyArray(Type.String()), { description: "Names of what it tells apart" }),
  variants: readonlyArray(Type.String(), { description: "Forms that are derived of the version" }),
  /** What points to the version now. */
  channels: readonlyArray(ChannelSchema),
  aliases: readonlyArray(AliasSchema),
  version: VersionView,
  ...CardNotesView.properties,
});
export type ModelCard = Static<typeof ModelCard>;
