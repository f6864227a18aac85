import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { failure } from "@tributary/core";

/**
 * Asks for a password on a terminal, without showing it; or reads the first line of standard input.
 *
 * @param options.again whether it is asked for twice, as for a new one. @defaultValue true
 */
export async function readPassword(
  question: string,
  { passwordStdin = false, again = true }: { readonly passwordStdin?: boolean; readonly again?: boolean },
): Promise<string> {
  const { stdin, stderr } = process;
  if (!passwordStdin && stdin.isTTY !== true)
    throw failure("cli/usage", "nobody is there to type a password: pipe it in, with --password-stdin");
  // What is typed is shown nowhere.
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: stdin, output: silent, terminal: !passwordStdin });
  try {
    if (passwordStdin) {
      for await (const line of lines) return line;
      throw failure("cli/usage", "--password-stdin: standard input is empty");
    }
    const ask = async (text: string): Promise<string> => {
      stderr.write(`${text}: `);
      const answer = await lines.question("");
      stderr.write("\n");
      return answer;
    };
    const password = await ask(question);
    if (again && (await ask("The same again")) !== password)
      throw failure("cli/usage", "the two passwords differ; nothing was changed");
    return password;
  } finally {
    lines.close();
  }
}
