import type { ApiClient } from "@tributary/api-client";
import { LIMITS, parseJson } from "@tributary/protocol";
import type { Command } from "commander";
import { examples } from "../examples.ts";
import { online, operatorApi, readerApi, type OnlineOptions } from "../operator.ts";
import { readInput } from "../read-input.ts";

/** Documents that operators write, each under its name, and that can be enabled: alert rules, policies. */
export interface NamedDocuments<View, Input> {
  /** What one is called. */
  readonly word: string;
  /** What several are, in JSON. */
  readonly plural: string;
  /** As it is typed: "tributary alerts rules". */
  readonly command: string;
  /** The name of one, in examples. */
  readonly example: string;
  /** What the help says of each command, but for what all have in common. */
  readonly about: Readonly<Record<"list" | "set" | "enable" | "disable" | "remove", string>>;
  readonly parse: (json: unknown) => Input;
  /** What of one is an operator's to say. */
  readonly documentOf: (view: View) => Input;
  readonly lines: (views: readonly View[]) => readonly string[];
  readonly list: (api: ApiClient) => Promise<readonly View[]>;
  readonly read: (api: ApiClient, name: string) => Promise<View>;
  readonly write: (api: ApiClient, document: Input) => Promise<View>;
  readonly remove: (api: ApiClient, name: string) => Promise<unknown>;
}

/** Adds `list|show|set|enable|disable|remove`. */
export function addNamedDocuments<View, Input extends object>(
  parent: Command,
  documents: NamedDocuments<View, Input>,
): void {
  const { word, plural, command, example, about, documentOf } = documents;
  const print = (view: View, { json }: OnlineOptions): void => {
    if (json === true) return console.log(JSON.stringify(view));
    for (const line of documents.lines([view])) console.log(line);
  };

  online(parent.command("list"))
    .description(about.list)
    .addHelpText("after", examples(`${command} list`))
    .action(async (options: OnlineOptions) => {
      const views = await documents.list(readerApi(options));
      if (options.json === true) return console.log(JSON.stringify({ [plural]: views }));
      for (const line of documents.lines(views)) console.log(line);
    });

  online(parent.command("show"))
    .description(`Print the document of a ${word}, to be changed and set again.`)
    .argument(`<${word}>`, "its name")
    .addHelpText("after", examples(`${command} show ${example} > ${example}.json`))
    .action(async (name: string, options: OnlineOptions) => {
      const view = await documents.read(readerApi(options), name);
      console.log(options.json === true ? JSON.stringify(view) : JSON.stringify(documentOf(view), null, 2));
    });

  online(parent.command("set"))
    .description(about.set)
    .argument("<file>", "the document")
    .addHelpText("after", examples(`${command} set ${example}.json`))
    .action(async (file: string, options: OnlineOptions) => {
      const document = documents.parse(parseJson(word, await readInput(file), LIMITS.maxTaskSpecBytes));
      print(await documents.write(operatorApi(options), document), options);
    });

  for (const [name, enabled] of [
    ["enable", true],
    ["disable", false],
  ] as const)
    online(parent.command(name))
      .description(about[name])
      .argument(`<${word}>`, "its name")
      .addHelpText("after", examples(`${command} ${name} ${example}`))
      .action(async (called: string, options: OnlineOptions) => {
        const api = operatorApi(options);
        const document = documentOf(await documents.read(api, called));
        print(await documents.write(api, { ...document, enabled }), options);
      });

  online(parent.command("remove"))
    .description(about.remove)
    .argument(`<${word}>`, "its name")
    .addHelpText("after", examples(`${command} remove ${example}`))
    .action(async (name: string, options: OnlineOptions) => {
      await documents.remove(operatorApi(options), name);
      console.log(options.json === true ? JSON.stringify({ removed: name }) : `${word} ${name} was removed`);
    });
}
