import { compareTable, curvesTable, toCsv, type CompareView } from "@tributary/api-client";
import { Command, Option } from "commander";
import { comparisonReport } from "../search/comparison-report.ts";
import { examples } from "../examples.ts";
import { dataDirOption, readerApi, urlOption, type OperatorOptions } from "../operator.ts";

interface CompareOptions extends OperatorOptions {
  readonly all?: boolean;
  readonly csv?: "table" | "curves" | true;
  readonly json?: boolean;
}

const TABLES = { table: compareTable, curves: curvesTable } as const satisfies Record<
  string,
  (view: CompareView) => unknown
>;

/** `tributary compare A B` */
export function compareCommand(): Command {
  return new Command("compare")
    .description(
      "Show two to six tasks or versions side by side: parameters that differ, metrics with their intervals, and which differences are significant.",
    )
    .argument("<names...>", "tasks by their names, versions as digits@12 or digits@champion")
    .option("--all", "all parameters, not only those that differ")
    .addOption(
      new Option("--csv [what]", "print CSV: the table (default), or the points of the curves").choices([
        "table",
        "curves",
      ]),
    )
    .option("--json", "print one JSON object")
    .addOption(urlOption())
    .addOption(dataDirOption())
    .addHelpText(
      "after",
      examples(
        "tributary compare digits-adam digits-avg",
        "tributary compare digits@champion digits@newest --all",
        "tributary compare digits-adam digits-avg --csv curves > curves.csv",
      ),
    )
    .action(async (names: readonly string[], options: CompareOptions) => {
      const view = await readerApi(options).compare(names);
      if (options.json === true) return console.log(JSON.stringify(view));
      if (options.csv !== undefined) {
        const { csv } = options;
        return console.log(toCsv(TABLES[csv === true ? "table" : csv](view)).trimEnd());
      }
      for (const line of comparisonReport(view, { all: options.all === true })) console.log(line);
    });
}
