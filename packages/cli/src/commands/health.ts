import type { VersionHealthView } from "@tributary/api-client";
import type { Command } from "commander";
import { dataDirOption, readerApi, urlOption, type OperatorOptions } from "../operator.ts";
import { tableLines, type TableColumn } from "../table.ts";
import { examples } from "../examples.ts";

const number = (title: string, of: (row: VersionHealthView) => number): TableColumn<VersionHealthView> => ({
  title,
  align: "right",
  cell: (row) => String(of(row)),
});
const milliseconds = (value: number | null): string => (value === null ? "-" : value.toPrecision(2));

const COLUMNS: readonly TableColumn<VersionHealthView>[] = [
  number("version", ({ version }) => version),
  number("devices", ({ devices }) => devices),
  number("runs", ({ runs }) => runs),
  number("crashes", ({ crashes }) => crashes),
  number("on devices", ({ crashedDevices }) => crashedDevices),
  number("failed self-checks", ({ selfCheckFailures }) => selfCheckFailures),
  number("errors", ({ errors }) => Object.values(errors).reduce((sum, each) => sum + each, 0)),
  { title: "p50 ms", align: "right", cell: ({ latencyMs }) => milliseconds(latencyMs.p50) },
  { title: "p95 ms", align: "right", cell: ({ latencyMs }) => milliseconds(latencyMs.p95) },
  { title: "last told", cell: ({ at }) => at },
];

/** How versions fare on single devices, as a table with the errors below it. */
export function healthLines(versions: readonly VersionHealthView[]): string[] {
  if (versions.length === 0)
    return ["no device tells how it fares: apps let it with createRuntime({ deviceHealth })"];
  const errors = versions.flatMap(({ version, errors: counted }) =>
    Object.entries(counted).map(([code, count]) => `version ${version}: ${code} ${count}`),
  );
  return [...tableLines(COLUMNS, versions), ...errors];
}

/** `tributary model health`. */
export function addHealthCommand(command: Command): void {
  command
    .command("health")
    .description(
      "Show how each version fares on the devices whose apps let them tell: crashes, failed self-checks, errors by code, latencies.",
    )
    .argument("<name>", "the model")
    .addOption(urlOption())
    .addOption(dataDirOption())
    .option("--json", "print one JSON object")
    .addHelpText("after", examples("tributary model health digits"))
    .action(async (name: string, { url, dataDir, json }: OperatorOptions & { readonly json?: boolean }) => {
      const versions = await readerApi({ url, dataDir }).health(name);
      if (json === true) return console.log(JSON.stringify({ versions }));
      for (const line of healthLines(versions)) console.log(line);
    });
}
