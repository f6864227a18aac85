import { hostname } from "node:os";
import { createInterface } from "node:readline/promises";
import {
  createApiClient,
  TributaryError,
  type AccessGrant,
  type ApiTokenCreated,
} from "@tributary/api-client";
import { failure } from "@tributary/core";
import { Command, Option } from "commander";
import { tokenByBrowser } from "../access/browser-sign-in.ts";
import { grantsOf, grantsText, withGrantOptions, type GrantOptions } from "../access/grants.ts";
import { keepLogin, loginFile, type Login } from "../access/logins.ts";
import { openBrowser } from "../access/open-browser.ts";
import { readPassword } from "../access/read-password.ts";
import { tokenBySignIn } from "../access/sign-in.ts";
import { integerBetween } from "../arguments.ts";
import { DEFAULT_URL } from "../operator.ts";
import { examples } from "../examples.ts";

interface Options extends GrantOptions {
  readonly account?: string;
  readonly passwordStdin?: boolean;
  readonly browser?: boolean;
  readonly open: boolean;
  readonly days: number;
  readonly insecure?: boolean;
  readonly json?: boolean;
}

/** What a token is to be good for. */
interface Wanted {
  readonly machine: string;
  readonly days: number;
  readonly grants?: readonly AccessGrant[];
}

/** `tributary login`: signing in once, by the browser or with a password, and afterwards a token that is kept for this person on this machine. */
export function loginCommand(): Command {
  return withGrantOptions(new Command("login"))
    .description(
      "Sign in to a coordinator, in the browser or to an account by its password. A token is made for it and kept in a file that only you can read; other commands act with it at this URL, unless TRIBUTARY_TOKEN is set or --data-dir names another folder. On a terminal, and without --account, the browser is used where the coordinator offers OpenID Connect.",
    )
    .argument("[url]", "the coordinator", process.env["TRIBUTARY_URL"] ?? DEFAULT_URL)
    .addOption(
      new Option(
        "--browser",
        "sign in on the coordinator's own page, by OpenID Connect or to an account, and allow it there; the browser has to be on this machine",
      ).conflicts(["account", "passwordStdin"]),
    )
    .option("--no-open", "print the page's address, and open no browser")
    .option("--account <name>", "as whom, with a password; asked for where it is left out")
    .option("--password-stdin", "the password is the first line of standard input")
    .addOption(
      new Option(
        "--days <n>",
        "how long the token is good for; by OpenID Connect no longer than the browser's session",
      )
        .default(30)
        .argParser(integerBetween(1, 365)),
    )
    .option(
      "--insecure",
      "sign in over plain HTTP to another machine, where the password or the token can be read on the way",
    )
    .option("--json", "print one JSON object, without the token")
    .addHelpText(
      "after",
      examples(
        "tributary login https://fl.example.org",
        "tributary login https://fl.example.org --browser --no-open",
        "tributary login https://fl.example.org --account ada --days 7 --role viewer",
        "tributary login --account ada --password-stdin < ada.txt",
      ),
    )
    .action(async (url: string, options: Options) => {
      checkTransport(url, options);
      const wanted: Wanted = {
        machine: hostname()
          .replace(/[\p{C}/]/gu, "-")
          .slice(0, 58),
        days: options.days,
        ...(options.role.length === 0 ? {} : { grants: grantsOf(options) }),
      };
      const byBrowser = await usesBrowser(url, options);
      const { token, view } = await (byBrowser ? inBrowser : withPassword)(url, wanted, options);
      const { id, grants, expiresAt, account, session } = view;
      const name = account ?? session?.name ?? "token";
      const before = keepLogin(url, { token, id, name, expiresAt });
      await revoke(url, before);
      if (options.json === true)
        return console.log(JSON.stringify({ url, name, account, grants, expiresAt, file: loginFile() }));
      const until = session === null ? `until ${expiresAt}` : `until ${expiresAt}, or the browser signs out`;
      console.log(`signed in to ${url} as ${name}: ${grantsText(grants)}, ${until}`);
    });
}

/** Where somebody is there to look at a browser, and may have no password: as they are told by the coordinator itself. */
async function usesBrowser(url: string, { browser, account, passwordStdin }: Options): Promise<boolean> {
  if (browser === true) return true;
  if (account !== undefined || passwordStdin === true || process.stdin.isTTY !== true) return false;
  const { signIn } = await createApiClient({ baseUrl: url }).session();
  return signIn.identityProvider !== null;
}

async function inBrowser(url: string, wanted: Wanted, { open }: Options): Promise<ApiTokenCreated> {
  return tokenByBrowser(url, wanted, {
    async show(address) {
      const opened = open && (await openBrowser(address));
      console.error(
        `${opened ? "Allow it in the browser. If no page appeared, open" : "Open in a browser on this machine, and allow it there:"}\n\n  ${address}\n`,
      );
    },
  });
}

async function withPassword(
  url: string,
  { machine, ...wanted }: Wanted,
  options: Options,
): Promise<ApiTokenCreated> {
  const name = options.account ?? (await ask("Account: "));
  const password = await readPassword(`Password of ${name}`, { ...options, again: false });
  return tokenBySignIn(url, { name, password }, { label: `login ${machine}`, ...wanted });
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
    `${text} is plain HTTP: everybody on the way could read the password, and the token. Use https, or say --insecure`,
  );
}

async function ask(question: string): Promise<string> {
  if (process.stdin.isTTY !== true)
    throw failure(
      "cli/usage",
      "--account: say as whom, as there is no terminal to ask on; or sign in with --browser",
    );
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return (await terminal.question(question)).trim();
  } finally {
    terminal.close();
  }
}
