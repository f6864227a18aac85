import { Command } from "commander";
import { forgetLogin } from "../access/logins.ts";
import { examples } from "../examples.ts";
import { DEFAULT_URL } from "../operator.ts";
import { revoke } from "./login.ts";

/** `tributary logout`: the token of a login is revoked, and forgotten here. */
export function logoutCommand(): Command {
  return new Command("logout")
    .description("Revoke the token that tributary login made at a coordinator, and forget it.")
    .argument("[url]", "the coordinator", process.env["TRIBUTARY_URL"] ?? DEFAULT_URL)
    .option("--json", "print one JSON object")
    .addHelpText("after", examples("tributary logout https://fl.example.org"))
    .action(async (url: string, { json }: { readonly json?: boolean }) => {
      const login = forgetLogin(url);
      const revoked = await revoke(url, login);
      if (json === true) return console.log(JSON.stringify({ url, account: login?.name ?? null, revoked }));
      if (login === undefined) return console.log(`nobody was signed in to ${url} here`);
      console.log(
        revoked
          ? `signed ${login.name} out of ${url}`
          : `forgot the token of ${login.name}; ${url} did not revoke it (it may have ended, or not be reached): tributary api-token revoke ${login.id}`,
      );
    });
}
