import type { OperatorView } from "@tributary/api-client";
import { Command } from "commander";
import { grantsOf, grantsText, withGrantOptions, type GrantOptions } from "../access/grants.ts";
import { readPassword } from "../access/read-password.ts";
import { confirm } from "../confirm.ts";
import { examples } from "../examples.ts";
import { dataDirOption, operatorApi, urlOption, type OperatorOptions } from "../operator.ts";
import { tableLines, type TableColumn } from "../table.ts";

interface Options extends OperatorOptions {
  readonly json?: boolean;
}
interface AddOptions extends Options, GrantOptions {
  readonly passwordStdin?: boolean;
}

const COLUMNS: readonly TableColumn<OperatorView>[] = [
  { title: "operator", cell: ({ name }) => name },
  { title: "roles", cell: ({ grants }) => grantsText(grants) },
  { title: "since", cell: ({ createdAt }) => createdAt },
];

/** `tributary operator add|list|remove|passwd|grant`. */
export function operatorCommand(): Command {
  const command = new Command("operator").description(
    "Give people accounts with which they sign in to the dashboard, and roles: viewer, operator, admin or auditor, of all models or of some.",
  );
  const sub = (name: string, description: string): Command =>
    command
      .command(name)
      .description(description)
      .addOption(urlOption())
      .addOption(dataDirOption())
      .option("--json", "print one JSON object");

  withGrantOptions(sub("add", "Add an operator. The password is asked for, or read from standard input."))
    .argument("<name>", "lowercase letters, digits and . _ @ -")
    .option("--password-stdin", "the password is the first line of standard input")
    .addHelpText(
      "after",
      examples(
        "tributary operator add ada --role admin",
        "tributary operator add ben --role operator --model digits --role viewer --password-stdin < ben.txt",
      ),
    )
    .action(async (name: string, options: AddOptions) => {
      const grants = grantsOf(options);
      const password = await readPassword(`Password of ${name}`, options);
      report(await operatorApi(options).addOperator({ name, password, grants }), options);
    });

  sub("list", "List the operators and their roles.")
    .addHelpText("after", examples("tributary operator list"))
    .action(async (options: Options) => {
      const operators = await operatorApi(options).operators();
      if (options.json === true) return console.log(JSON.stringify({ operators }));
      for (const line of tableLines(COLUMNS, operators)) console.log(line);
    });

  withGrantOptions(sub("grant", "Give an operator other roles, in the place of those before."))
    .argument("<name>", "the operator")
    .addHelpText("after", examples("tributary operator grant ben --role auditor"))
    .action(async (name: string, options: Options & GrantOptions) =>
      report(await operatorApi(options).grantOperator(name, grantsOf(options)), options),
    );

  sub("passwd", "Give an operator another password: their browsers are signed out.")
    .argument("<name>", "the operator")
    .option("--password-stdin", "the password is the first line of standard input")
    .addHelpText("after", examples("tributary operator passwd ben"))
    .action(async (name: string, options: AddOptions) => {
      const password = await readPassword(`New password of ${name}`, options);
      report(await operatorApi(options).setOperatorPassword(name, password), options);
    });

  sub("remove", "Remove an operator, with their sessions and tokens.")
    .argument("<name>", "the operator")
    .option("--yes", "do not ask")
    .addHelpText("after", examples("tributary operator remove ben --yes"))
    .action(async (name: string, options: Options & { readonly yes?: boolean }) => {
      await confirm(`${name} is signed out everywhere, and their tokens are revoked.`, options);
      const operators = await operatorApi(options).removeOperator(name);
      if (options.json === true) return console.log(JSON.stringify({ operators }));
      console.log(`removed ${name}`);
    });
  return command;
}

function report(operator: OperatorView, { json }: Options): void {
  if (json === true) return console.log(JSON.stringify(operator));
  console.log(`${operator.name}: ${grantsText(operator.grants)}`);
}
