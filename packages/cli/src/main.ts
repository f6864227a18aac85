import { Command, CommanderError } from "commander";
import { describeCommand } from "./commands/describe.ts";
import { publishCommand } from "./commands/publish.ts";
import { serveCommand } from "./commands/serve.ts";
import { startCommand } from "./commands/start.ts";
import { taskCommand } from "./commands/task.ts";
import { tokenCommand } from "./commands/token.ts";
import { explain } from "./explain.ts";

/** Runs the command line: `tributary <command>`. A failure is one clear line on stderr and exit code 1; misuse is 2. */
export async function main(argv: readonly string[]): Promise<void> {
  const program = new Command("tributary")
    .description("Models run and learn at the edge; only sums flow back.")
    .version("0.1.0")
    .showHelpAfterError("(--help lists the options)")
    .exitOverride();
  for (const command of [
    startCommand(),
    serveCommand(),
    publishCommand(),
    taskCommand(),
    describeCommand(),
    tokenCommand(),
  ]) {
    program.addCommand(command.exitOverride().showHelpAfterError("(--help lists the options)"));
  }
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
