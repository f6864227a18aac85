import { readFile } from "node:fs/promises";
import { failure } from "@tributary/core";
import { Option, type Command } from "commander";
import type { CoordinatorConfig } from "../../config.ts";
import { CLIENT_AUTHENTICATIONS, type ClientAuthentication } from "./oidc-config.ts";

export interface OidcOptions {
  readonly oidcIssuer?: string;
  readonly oidcClientId?: string;
  readonly oidcSecretFile?: string;
  readonly oidcClientAuth?: ClientAuthentication;
  readonly oidcGrant: readonly string[];
  readonly oidcName?: string;
  readonly oidcScope: readonly string[];
  readonly oidcSignOut?: boolean;
}

/** The variable of the client's secret: on a command line everybody on the machine could read it. */
const OIDC_SECRET = "TRIBUTARY_OIDC_CLIENT_SECRET";

/** Where operators may sign in, beside their accounts. */
export function addOidcOptions(command: Command): Command {
  const several = (text: string, before: readonly string[]): string[] => [...before, text];
  return command
    .addOption(
      new Option(
        "--oidc-issuer <url>",
        "an OpenID provider that operators sign in at: https://login.example.org/realms/ml",
      ).env("TRIBUTARY_OIDC_ISSUER"),
    )
    .addOption(
      new Option("--oidc-client-id <id>", "as what this coordinator is registered there").env(
        "TRIBUTARY_OIDC_CLIENT_ID",
      ),
    )
    .addOption(
      new Option(
        "--oidc-secret-file <file>",
        `a file with the client's secret; without it ${OIDC_SECRET}, or a public client`,
      ).env("TRIBUTARY_OIDC_SECRET_FILE"),
    )
    .addOption(
      new Option(
        "--oidc-grant <rule>",
        "who may what, by a claim: groups=ml-ops:operator, email=*@example.org:viewer@digits; may be repeated",
      )
        .argParser(several)
        .default([], "none"),
    )
    .addOption(
      new Option("--oidc-client-auth <method>", "how the secret is shown there").choices(
        CLIENT_AUTHENTICATIONS,
      ),
    )
    .option("--oidc-name <name>", "what the button says that leads there")
    .addOption(
      new Option(
        "--oidc-scope <scope>",
        "a scope that is asked for beside openid, profile and email; may be repeated",
      )
        .argParser(several)
        .default([], "none"),
    )
    .option("--oidc-sign-out", "signing out leads there too, and back to this coordinator's own address");
}

/** What the options and the environment come to. @throws `coordinator/invalid-config` where they do not fit together */
export async function oidcOf(
  options: OidcOptions,
  env: NodeJS.ProcessEnv,
): Promise<Pick<CoordinatorConfig, "oidc">> {
  const { oidcIssuer: issuer, oidcClientId: clientId, oidcGrant, oidcScope } = options;
  const { oidcSecretFile: file, oidcClientAuth: clientAuthentication, oidcName: name } = options;
  const { oidcSignOut: signOut } = options;
  const grants = oidcGrant.length > 0 ? oidcGrant : linesOf(env["TRIBUTARY_OIDC_GRANTS"]);
  if (issuer === undefined) {
    if (clientId === undefined && grants.length === 0) return {};
    throw misuse("--oidc-issuer: name the provider, where it has a client or grants");
  }
  if (clientId === undefined)
    throw misuse("--oidc-client-id: name the client that is registered at --oidc-issuer");
  if (grants.length === 0)
    throw misuse("--oidc-grant: say who of those that the provider knows may what, or nobody could sign in");
  const clientSecret = file === undefined ? env[OIDC_SECRET] : await secretIn(file);
  return {
    oidc: {
      issuer,
      clientId,
      grants,
      scopes: [...new Set(["openid", "profile", "email", ...oidcScope])],
      ...(clientSecret === undefined || clientSecret === "" ? {} : { clientSecret }),
      ...(clientAuthentication === undefined ? {} : { clientAuthentication }),
      ...(name === undefined ? {} : { name }),
      ...(signOut === undefined ? {} : { signOut }),
    },
  };
}

/** Rules, one a line. */
function linesOf(text = ""): string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

async function secretIn(file: string): Promise<string> {
  try {
    const secret = (await readFile(file, "utf8")).trim();
    if (secret !== "") return secret;
  } catch (cause) {
    throw misuse(`--oidc-secret-file: ${file} cannot be read: ${(cause as Error).message}`, cause);
  }
  throw misuse(`--oidc-secret-file: ${file} is empty`);
}

function misuse(text: string, cause?: unknown): Error {
  return failure("coordinator/invalid-config", `coordinator: ${text}`, { detail: { field: "oidc" }, cause });
}
