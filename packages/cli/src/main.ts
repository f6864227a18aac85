import { Command, CommanderError } from "commander";
import { commandsFor } from "./commands.ts";
import { explain } from "./explain.ts";

/** Runs the command line: `tributary <command>`. A failure is one clear line on stderr and exit code 1; misuse is 2. */
export async function main(argv: readonly string[]): Promise<void> {
  const program = new Command("tributary")
    .description("Models run and learn at the edge; only sums flow back.")
    .version("0.1.0");
  for (const load of commandsFor(argv[2])) program.addCommand(await load());
  tellMisuseInOneLine(program);
  try {
    await program.parseAsync(argv);
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : 2;
      return;
    }
    console.error(`tributary: ${explain(error)}`);
    process.exitCode = 1;
  }
}

/** Commander's own messages begin with "error:" and may take several lines; `task create` is a command within one. */
function tellMisuseInOneLine(command: Command): void {
  command.exitOverride().configureOutput({
    outputError: (text, write) => {
      const line = text
        .replace(/^error: /, "")
        .trim()
        .replaceAll("\n", " ");
      write(`tributary: ${line} (--help lists the options)\n`);
    },
  });
  for (const sub of command.commands) tellMisuseInOneLine(sub);
}
