import { resolve } from "node:path";
import { Option, type Command } from "commander";
import { counted } from "../counted.ts";
import { versionOrAlias } from "../arguments.ts";
import { exportedFiles, type FileOfExport } from "../exports/exported-files.ts";
import { writeFolderFormat } from "../exports/folder-format.ts";
import { writeMlflowDirectory } from "../exports/mlflow-directory.ts";
import { writeOciLayout } from "../exports/oci-layout.ts";
import { versionOf, type VersionSource } from "../exports/version-download.ts";
import { writeWholeFolder, type WriteFile } from "../exports/whole-folder.ts";
import { dataDirOption, operatorToken, urlOption, type OperatorOptions } from "../operator.ts";
import { formatBytes } from "../start/format.ts";
import { createProgress } from "../start/progress.ts";

const FORMATS = {
  folder: writeFolderFormat,
  oci: writeOciLayout,
  mlflow: writeMlflowDirectory,
} as const satisfies Record<
  string,
  (write: WriteFile, source: VersionSource, files: AsyncIterable<FileOfExport>) => Promise<unknown>
>;

interface Options extends OperatorOptions {
  readonly format: keyof typeof FORMATS;
  readonly out: string;
  readonly withStates?: boolean;
  readonly json?: boolean;
}

/** `tributary model export MODEL VERSION --out DIR`: a version as files. */
export function addExportCommand(command: Command): void {
  command
    .command("export")
    .description(
      "Write a version as a folder that does not exist yet: with its manifest and checksums, as an OCI image layout for registries, or as an MLflow model directory.",
    )
    .argument("<name>", "the model")
    .argument("<version>", "its version, or an alias such as champion", versionOrAlias)
    .requiredOption("--out <dir>", "the folder to make")
    .addOption(
      new Option("--format <format>", "what reads it").choices(Object.keys(FORMATS)).default("folder"),
    )
    .option(
      "--with-states",
      "of a version of a round: also what its step was taken with, for `tributary reproduce --from`",
    )
    .addOption(urlOption())
    .addOption(dataDirOption())
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
Examples:
  tributary model export digits 12 --out digits-12
  tributary model export digits 12 --format oci --out layout && oras copy --from-oci-layout layout:12 registry.example/digits:12
  tributary model export digits 12 --format mlflow --out mlflow-digits`,
    )
    .action(exportVersion);
}

async function exportVersion(name: string, wanted: number | string, options: Options): Promise<void> {
  const { format, url, withStates = false } = options;
  const folder = resolve(options.out);
  const source = await versionOf({ url, token: operatorToken(options) }, name, wanted);
  const { version } = source.files.version;
  const progress = createProgress(process.stderr);
  let [files, sizeBytes] = [0, 0];
  try {
    await writeWholeFolder(folder, async (write) => {
      await FORMATS[format](
        async (path, bytes) => {
          progress.step(`${path}  ${formatBytes(bytes.length)}`);
          await write(path, bytes);
          files += 1;
          sizeBytes += bytes.length;
        },
        source,
        exportedFiles(source, { withStates }),
      );
    });
  } finally {
    progress.stop();
  }
  if (options.json === true)
    return console.log(JSON.stringify({ folder, format, model: name, version, files, sizeBytes }));
  console.log(`${folder}: ${name} version ${version}, ${counted(files, "file")}, ${formatBytes(sizeBytes)}`);
}
