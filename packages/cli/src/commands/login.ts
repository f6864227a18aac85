import { hostname } from "node:os";
import { createInterface } from "node:readline/promises";
import { createApiClient, TributaryError } from "@tributary/api-client";
import { failure } from "@tributary/core";
import { Command, Option } from "commander";
import { grantsOf, grantsText, withGrantOptions, type GrantOptions } from "../access/grants.ts";
import { keepLogin, loginFile, type Login } from "../access/logins.ts";
import { readPassword } from "../access/read-password.ts";
import { tokenBySignIn } from "../access/sign-in.ts";
import { integerBetween } from "../arguments.ts";
import { DEFAULT_URL } from "../operator.ts";
import { examples } from "../examples.ts";

interface Options extends GrantOptions {
  readonly account?: string;
  readonly passwordStdin?: boolean;
  readonly days: number;
  readonly insecure?: boolean;
  readonly json?: boolean;
}

/** `tributary login`: an account's password once, and afterwards a token that is kept for this person on this machine. */
export function loginCommand(): Command {
  return withGrantOptions(new Command("login"))
    .description(
      "Sign in to an account of a coordinator. A token is made for it and kept in a file that only you can read; other commands act with it at this URL, unless TRIBUTARY_TOKEN is set or --data-dir names another folder.",
    )
    .argument("[url]", "the coordinator", process.env["TRIBUTARY_URL"] ?? DEFAULT_URL)
    .option("--account <name>", "as whom; asked for where it is left out")
    .option("--password-stdin", "the password is the first line of standard input")
    .addOption(
      new Option("--days <n>", "how long the token is good for")
        .default(30)
        .argParser(integerBetween(1, 365)),
    )
    .option(
      "--insecure",
      "send the password over plain HTTP to another machine, where it can be read on the way",
    )
    .option("--json", "print one JSON object, without the token")
    .addHelpText(
      "after",
      examples(
        "tributary login https://fl.example.org",
        "tributary login https://fl.example.org --account ada --days 7 --role viewer",
        "tributary login --account ada --password-stdin < ada.txt",
      ),
    )
    .action(async (url: string, options: Options) => {
      checkTransport(url, options);
      const name = options.account ?? (await ask("Account: "));
      const password = await readPassword(`Password of ${name}`, { ...options, again: false });
      const { token, view } = await tokenBySignIn(
        url,
        { name, password },
        {
          label: `login ${hostname()}`.replace(/[\p{C}/]/gu, "-").slice(0, 64),
          days: options.days,
          ...(options.role.length === 0 ? {} : { grants: grantsOf(options) }),
        },
      );
      const before = keepLogin(url, { token, id: view.id, name, expiresAt: view.expiresAt });
      await revoke(url, before);
      const { grants, expiresAt } = view;
      if (options.json === true)
        return console.log(JSON.stringify({ url, account: name, grants, expiresAt, file: loginFile() }));
      console.log(`signed in to ${url} as ${name}: ${grantsText(grants)}, until ${expiresAt}`);
    });
}

/** A token of before is of no use to anybody any more; where it cannot be revoked, it ends by itself. */
export async function revoke(url: string, login: Login | undefined): Promise<boolean> {
  if (login === undefined) return false;
  try {
    await createApiClient({ baseUrl: url, token: login.token }).revokeApiToken(login.id);
    return true;
  } catch (error) {
    if (!TributaryError.is(error)) throw error;
    return false;
  }
}

function checkTransport(text: string, { insecure }: Options): void {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== "http:" && url?.protocol !== "https:")
    throw failure("cli/usage", `expected the URL of a coordinator, got ${JSON.stringify(text)}`);
  const { protocol, hostname: host } = url;
  const isLoopback = host === "localhost" || host === "[::1]" || /^127(?:\.\d+){3}$/.test(host);
  if (protocol === "https:" || isLoopback || insecure === true) return;
  throw failure(
    "cli/usage",
    `${text} is plain HTTP: everybody on the way could read the password. Use https, or say --insecure`,
  );
}

async function ask(question: string): Promise<string> {
  if (process.stdin.isTTY !== true)
    throw failure("cli/usage", "--account: say as whom, as there is no terminal to ask on");
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return (await terminal.question(question)).trim();
  } finally {
    terminal.close();
  }
}
