import tab from "@bomb.sh/tab/commander";
import { Command, CommanderError } from "commander";
import { COMMAND_NAMES, loadCommands, OPERATION, RUN } from "./commands.ts";
import { EXIT_CODE_LINES, EXIT_CODES, exitCodeOf } from "./exit-codes.ts";
import { explain } from "./explain.ts";
import { CLI_VERSION } from "./version.ts";

const COMPLETION = "completion";

const EPILOGUE = `
Environment:
  TRIBUTARY_URL    the coordinator, in the place of --url
  TRIBUTARY_TOKEN  the token that a command acts with

Which token: TRIBUTARY_TOKEN; else that of the folder that --data-dir names; else that of tributary login, for
this URL; else that of .tributary, where a coordinator on this machine wrote it.

Exit codes:
${EXIT_CODE_LINES.map((line) => `  ${line}`).join("\n")}

Examples:
  tributary start
  tributary help task
  tributary rounds digits --json
  tributary completion bash > ~/.local/share/bash-completion/completions/tributary`;

/** Runs the command line: `tributary <command>`. A failure is one clear line on stderr and one of `EXIT_CODES`. */
export async function main(argv: readonly string[]): Promise<void> {
  const program = await programFor(argv.slice(2));
  try {
    await program.parseAsync(argv);
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? EXIT_CODES.done : EXIT_CODES.misuse;
      return;
    }
    console.error(`tributary: ${explain(error)}`);
    process.exitCode = exitCodeOf(error);
  }
}

/**
 * The program with what these arguments need of it: the command that they name, and for the completion of an unfinished line the
 * command that the line begins with.
 */
export async function programFor(words: readonly string[] | "all"): Promise<Command> {
  const program = new Command("tributary")
    .description("Models run and learn at the edge; only sums flow back.")
    .version(CLI_VERSION)
    .addHelpText("after", EPILOGUE)
    .addHelpCommand(new Command("help").argument("[command]").summary("Tell of a command").helpGroup(RUN));
  for (const command of await loadCommands(words === "all" ? words : words.filter(isCommand)))
    program.addCommand(command);
  tellMisuseInOneLine(program);
  tab(program, { completionCommandName: COMPLETION });
  for (const command of program.commands) {
    if (command.name() !== COMPLETION) continue;
    command
      .description("Print a script that completes commands and options in a shell.")
      .summary("Print a script that completes commands in a shell")
      .helpGroup(OPERATION)
      .addHelpText(
        "after",
        "\nExamples:\n  tributary completion bash > ~/.local/share/bash-completion/completions/tributary\n  tributary completion zsh > ~/.zfunc/_tributary\n  tributary completion fish > ~/.config/fish/completions/tributary.fish",
      );
  }
  return program;
}

const isCommand = (word: string): boolean => COMMAND_NAMES.includes(word);

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
