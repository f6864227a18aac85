import { parseTaskSpec, TASK_SCHEMA, TASK_SCHEMA_ID } from "@tributary/protocol";
import type { Command } from "commander";
import { readInput } from "../read-input.ts";
import { parseTaskDocument } from "../task-document.ts";
import { examples } from "../examples.ts";

/** `tributary task schema|validate`: the task document by itself, without a coordinator. */
export function addDocumentCommands(command: Command): void {
  command
    .command("schema")
    .description("Print the JSON Schema of task documents; a coordinator serves it at /schemas/task.json.")
    .addHelpText("after", examples("tributary task schema > task.schema.json"))
    .action(() => console.log(JSON.stringify(TASK_SCHEMA, null, 2)));

  command
    .command("validate")
    .description(
      "Check a task document: says which field is wrong, and what it may be. What depends on the model or on the coordinator's strategies is checked by `create`.",
    )
    .argument("<file>", "the task document (JSON)")
    .option("--json", "print the document with every default filled in")
    .addHelpText("after", examples("tributary task validate task.json"))
    .action(async (file: string, options: { readonly json?: boolean }) => {
      const spec = parseTaskSpec(parseTaskDocument(file, await readInput(file)));
      if (options.json === true) return console.log(JSON.stringify(spec));
      console.log(`${file}: a valid task document (${TASK_SCHEMA_ID})`);
    });
}
