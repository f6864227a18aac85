import { createInterface } from "node:readline/promises";
import { failure } from "@tributary/core";

/**
 * Asks before something that is not easily undone. Without a terminal nobody can answer: then `yes` has to be given on the command line.
 *
 * @param consequence - what will happen, as a sentence
 * @throws `cli/usage` without a terminal, `cli/declined` when the answer is not yes
 */
export async function confirm(consequence: string, { yes }: { readonly yes?: boolean }): Promise<void> {
  if (yes === true) return;
  if (process.stdin.isTTY !== true)
    throw failure("cli/usage", `${consequence} Say so with --yes: there is no terminal to ask on.`);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`${consequence} Go on? [y/N] `);
    if (!/^y(es)?$/i.test(answer.trim()))
      throw failure("cli/declined", "nothing was changed: the answer was not yes");
  } finally {
    terminal.close();
  }
}
