import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { failure } from "@tributary/core";

/** Asks for a password on a terminal, without showing it; or reads the first line of standard input. */
export async function readPassword(
  question: string,
  { passwordStdin = false }: { readonly passwordStdin?: boolean },
): Promise<string> {
  const { stdin, stdout } = process;
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
      stdout.write(`${text}: `);
      const answer = await lines.question("");
      stdout.write("\n");
      return answer;
    };
    const password = await ask(question);
    if ((await ask("The same again")) !== password)
      throw failure("cli/usage", "the two passwords differ; nothing was changed");
    return password;
  } finally {
    lines.close();
  }
}
