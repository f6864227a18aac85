import type { ApiTokenView } from "@tributary/api-client";
import { Command, Option } from "commander";
import { grantsOf, grantsText, withGrantOptions, type GrantOptions } from "../access/grants.ts";
import { integerBetween } from "../arguments.ts";
import { examples } from "../examples.ts";
import { dataDirOption, operatorApi, urlOption, type OperatorOptions } from "../operator.ts";
import { tableLines, type TableColumn } from "../table.ts";

interface Options extends OperatorOptions {
  readonly json?: boolean;
}
interface CreateOptions extends Options, GrantOptions {
  readonly days: number;
  readonly forever?: boolean;
}

const COLUMNS: readonly TableColumn<ApiTokenView>[] = [
  { title: "token", cell: ({ id }) => id },
  { title: "for", cell: ({ label }) => label },
  { title: "of", cell: ({ account, session }) => account ?? session?.name ?? "-" },
  { title: "roles", cell: ({ grants }) => grantsText(grants) },
  {
    title: "until",
    cell: ({ expiresAt, session }) =>
      session === null ? (expiresAt ?? "revoked") : `${expiresAt}, or its browser signs out`,
  },
  { title: "used", cell: ({ usedAt }) => usedAt ?? "never" },
];

/** `tributary api-token create|list|revoke`. */
export function apiTokenCommand(): Command {
  const command = new Command("api-token").description(
    "Make tokens with which programs call the HTTP API and this command line (TRIBUTARY_TOKEN), with roles of their own. Devices enrol with others: tributary token.",
  );
  const sub = (name: string, description: string): Command =>
    command
      .command(name)
      .description(description)
      .addOption(urlOption())
      .addOption(dataDirOption())
      .option("--json", "print one JSON object");

  withGrantOptions(sub("create", "Make a token, and print it: it is shown this once."))
    .argument("<label>", "what it is for")
    .addOption(
      new Option("--days <n>", "how long it is good for").default(90).argParser(integerBetween(1, 3_650)),
    )
    .option("--forever", "until it is revoked")
    .addHelpText(
      "after",
      examples(
        "tributary api-token create nightly --role operator --model digits --days 30",
        "TRIBUTARY_TOKEN=$(tributary api-token create ci --role viewer) tributary rounds digits",
      ),
    )
    .action(async (label: string, options: CreateOptions) => {
      const days = options.forever === true ? null : options.days;
      const created = await operatorApi(options).createApiToken({ label, grants: grantsOf(options), days });
      console.log(options.json === true ? JSON.stringify(created) : created.token);
    });

  sub("list", "List the tokens, without the tokens themselves.")
    .addHelpText("after", examples("tributary api-token list"))
    .action(async (options: Options) => {
      const tokens = await operatorApi(options).apiTokens();
      if (options.json === true) return console.log(JSON.stringify({ tokens }));
      for (const line of tableLines(COLUMNS, tokens)) console.log(line);
    });

  sub("revoke", "Revoke a token: it is refused from the next request on.")
    .argument("<id>", "of the list; also the part of the token after tributary_op_")
    .addHelpText("after", examples("tributary api-token revoke 0123456789ab"))
    .action(async (id: string, options: Options) => {
      const tokens = await operatorApi(options).revokeApiToken(id);
      console.log(options.json === true ? JSON.stringify({ tokens }) : `revoked ${id}`);
    });
  return command;
}
