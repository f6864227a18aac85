import { retentionConsequences, type RetentionRule, type RetentionView } from "@tributary/api-client";
import { Option, type Command } from "commander";
import { integerBetween } from "../arguments.ts";
import { counted } from "../counted.ts";
import { confirm } from "../confirm.ts";
import { dataDirOption, operatorApi, readerApi, urlOption, type OperatorOptions } from "../operator.ts";
import { tableLines, type TableColumn } from "../table.ts";
import { examples } from "../examples.ts";

const COLUMNS: readonly TableColumn<RetentionView["offered"][number]>[] = [
  { title: "version", cell: ({ version }) => String(version), align: "right" },
  {
    title: "stays as",
    cell: ({ reasons }) => (reasons.length === 0 ? "leaves with the next version" : reasons.join(", ")),
  },
];

interface Options extends OperatorOptions {
  readonly newest?: number;
  readonly releasedWithinDays?: number;
  readonly deleteFiles?: true;
  readonly keepFiles?: true;
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** `tributary model retention`. */
export function addRetentionCommand(command: Command): void {
  command
    .command("retention")
    .description(
      "Show which versions of a model can be downloaded and why they stay, or change the rule: asks before it takes versions out of the release. What devices may still need stays whatever it says.",
    )
    .argument("<name>", "the model")
    .option("--newest <n>", "so many of the newest versions stay", integerBetween(1, 1_000))
    .option(
      "--released-within-days <n>",
      "what a channel pointed to within so many days stays",
      integerBetween(0, 3_650),
    )
    .addOption(
      new Option(
        "--delete-files",
        "delete the files of versions that left, at the coordinator's next start",
      ).conflicts("keepFiles"),
    )
    .option("--keep-files", "keep them in the coordinator's folder, for exports")
    .option("--yes", "do not ask")
    .addOption(urlOption())
    .addOption(dataDirOption())
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      examples(
        "tributary model retention digits",
        "tributary model retention digits --newest 50 --released-within-days 30",
        "tributary model retention digits --newest 5 --delete-files --yes",
      ),
    )
    .action(async (name: string, options: Options) => {
      const change = changeOf(options);
      const isChanged = Object.keys(change).length > 0;
      const now = isChanged
        ? await changeRule(name, change, options)
        : await readerApi(options).retention(name);
      if (options.json === true) return console.log(JSON.stringify(now));
      console.log(ruleLine(now.rule));
      for (const line of tableLines(COLUMNS, now.offered)) console.log(line);
    });
}

async function changeRule(
  name: string,
  change: Partial<RetentionRule>,
  options: Options,
): Promise<RetentionView> {
  const api = operatorApi(options);
  const rule = { ...(await api.retention(name)).rule, ...change };
  const consequences = retentionConsequences(name, await api.previewRetention(name, rule));
  if (consequences.length > 0) await confirm(consequences.join(" "), options);
  return api.setRetention(name, rule);
}

function changeOf({ newest, releasedWithinDays, deleteFiles, keepFiles }: Options): Partial<RetentionRule> {
  return {
    ...(newest === undefined ? {} : { newest }),
    ...(releasedWithinDays === undefined ? {} : { releasedWithinDays }),
    ...(deleteFiles === undefined ? {} : { deleteFiles: true }),
    ...(keepFiles === undefined ? {} : { deleteFiles: false }),
  };
}

function ruleLine({ newest, releasedWithinDays, deleteFiles }: RetentionRule): string {
  const released =
    releasedWithinDays === 0
      ? ""
      : `, and what was released in the last ${counted(releasedWithinDays, "day")}`;
  const files = deleteFiles ? "are deleted" : "stay in the coordinator's folder";
  const versions = newest === 1 ? "the newest version stays" : `the newest ${newest} versions stay`;
  return `${versions}${released}; files of versions that left ${files}`;
}
