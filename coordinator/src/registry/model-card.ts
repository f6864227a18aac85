import type { CardNotesView, ModelCard } from "@tributary/protocol";
import type { AliasRecord, ChannelRecord, ModelRecord, VersionRecord } from "../ports/model-records.ts";
import { timestamp, versionView } from "./views.ts";

export function cardNotesView({ cardNotes }: Pick<ModelRecord, "cardNotes">): CardNotesView {
  return cardNotes === null
    ? { notes: null, updatedAt: null }
    : { notes: cardNotes.notes, updatedAt: timestamp(cardNotes.updatedAt) };
}

/** What is known of a version. What points to it and what operators say is as it stands now, the rest never changes. */
export function modelCard(
  model: ModelRecord,
  version: VersionRecord,
  names: { readonly channels: readonly ChannelRecord[]; readonly aliases: readonly AliasRecord[] },
): ModelCard {
  const called = <Named extends ChannelRecord | AliasRecord>(all: readonly Named[]): string[] =>
    all.filter((each) => each.version === version.version).map(({ name }) => name);
  return {
    formatVersion: 1,
    model: model.name,
    format: model.format,
    inputs: model.inputs,
    outputs: model.outputs,
    classes: model.labels,
    variants: version.variants.map(({ name }) => name),
    channels: called(names.channels),
    aliases: called(names.aliases),
    version: versionView(version),
    ...cardNotesView(model),
  };
}
