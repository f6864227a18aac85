import type { CardNotes } from "@tributary/api-client";
import { failure } from "@tributary/core";
import type { Command } from "commander";
import { list, versionOrAlias } from "../arguments.ts";
import { dataDirOption, operatorApi, readerApi, urlOption, type OperatorOptions } from "../operator.ts";
import { examples } from "../examples.ts";

interface NotesOptions extends OperatorOptions {
  readonly intendedUse?: string;
  readonly limitations?: string;
  readonly licence?: string;
  readonly contact: readonly string[];
  readonly json?: boolean;
}

/** `tributary model card` and `tributary model card-notes`. */
export function addCardCommands(command: Command): void {
  command
    .command("card")
    .description("Print the card of a version, as Markdown: what it is for, how it was made and measured.")
    .argument("<name>", "the model")
    .argument("[version]", "the version: a number, or an alias", versionOrAlias, "champion")
    .addOption(urlOption())
    .addOption(dataDirOption())
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      examples(
        "tributary model card digits",
        "tributary model card digits 7 > CARD.md",
        "tributary model card digits candidate --json",
      ),
    )
    .action(
      async (
        name: string,
        version: number | string,
        { url, dataDir, json }: OperatorOptions & { readonly json?: boolean },
      ) => {
        const api = readerApi({ url, dataDir });
        if (json === true) return console.log(JSON.stringify(await api.card(name, version)));
        console.log((await api.cardMarkdown(name, version)).trimEnd());
      },
    );

  command
    .command("card-notes")
    .description("Write on the cards of a model what only people know. What is not given stays as it is.")
    .argument("<name>", "the model")
    .option("--intended-use <text>", "what it is for, and what it is not for")
    .option("--limitations <text>", "where it does badly, and what is known of bias")
    .option("--licence <name>", "such as Apache-2.0")
    .option("--contact <who>", "who is asked and told; may be given several times", list, [])
    .addOption(urlOption())
    .addOption(dataDirOption())
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      examples(
        'tributary model card-notes digits --intended-use "Reading single digits" --licence MIT --contact ml@example.org',
      ),
    )
    .addHelpText(
      "after",
      examples(
        'tributary model card-notes digits --licence Apache-2.0 --limitations "Only digits that were drawn by hand."',
      ),
    )
    .action(async (name: string, options: NotesOptions) => {
      const given = notesOf(options);
      if (Object.keys(given).length === 0)
        throw failure("cli/usage", "model card-notes: give at least one of its options");
      const api = operatorApi(options);
      const { notes } = await api.cardNotes(name);
      const written = await api.setCardNotes(name, { ...notes, ...given });
      if (options.json === true) return console.log(JSON.stringify(written));
      console.log(`wrote ${Object.keys(given).join(", ")} on the cards of ${name}`);
    });
}

function notesOf({ intendedUse, limitations, licence, contact }: NotesOptions): Partial<CardNotes> {
  return {
    ...(intendedUse === undefined ? {} : { intendedUse }),
    ...(limitations === undefined ? {} : { limitations }),
    ...(licence === undefined ? {} : { licence }),
    ...(contact.length === 0 ? {} : { contacts: contact }),
  };
}
