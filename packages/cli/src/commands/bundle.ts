import { resolve } from "node:path";
import { Command, Option } from "commander";
import { counted } from "../counted.ts";
import { integerBetween } from "../arguments.ts";
import { publishLocally } from "../bundle/publish-locally.ts";
import { readRelease, type ReadRelease } from "../bundle/read-release.ts";
import { writeReleaseFolder } from "../bundle/release-folder.ts";
import { isModelFile, readPublishedFile } from "../models/read-published-file.ts";
import { addVariantsOptions, type VariantsOptions } from "../models/variants-option.ts";
import { urlOption } from "../operator.ts";
import { formatBytes } from "../start/format.ts";
import { trustedRoot } from "../trusted-root.ts";
import { examples } from "../examples.ts";

interface Options extends VariantsOptions {
  readonly out: string;
  readonly url: string;
  readonly root?: string;
  readonly channel: string;
  readonly name?: string;
  readonly processing?: string;
  readonly float32?: boolean;
  readonly keys: string;
  readonly validDays: number;
  readonly json?: boolean;
}

/** `tributary bundle MODEL --out DIR`: a signed release as a folder of files. */
export function bundleCommand(): Command {
  const command = new Command("bundle")
    .description(
      "Write a signed release as a folder of files, and the root that an app pins: of a coordinator's model, as the seed of an app that " +
        "has to start offline; or of a file of a model, for an app that runs models from a static server without any coordinator.",
    )
    .argument(
      "<model>",
      "name of a model on the coordinator, or a file: ONNX (*.onnx), or the model.json of TensorFlow.js",
    )
    .requiredOption("--out <dir>", "folder to write, for example public/models")
    .addOption(urlOption())
    .option("--root <file>", "trust root that the app pins (default: the one the coordinator shows)")
    .option("--channel <name>", "of a coordinator's model", "stable")
    .option("--name <name>", "of a file: the model's name (default: the file's)")
    .option("--processing <file>", "of a file: JSON of how images become inputs, and outputs answers");
  return addVariantsOptions(command)
    .option("--float32", 'the exact weights too, for apps that open models as variant "float32"')
    .option(
      "--keys <dir>",
      "of a file: signing keys and earlier versions; keep it secret, and keep it: an app believes these keys alone",
      ".tributary-bundle",
    )
    .addOption(
      new Option("--valid-days <n>", "of a file: days until it has to be bundled anew")
        .default(365)
        .argParser(integerBetween(1, 3_650)),
    )
    .option("--json", "print one JSON object")
    .addHelpText("after", examples("tributary bundle model.onnx --out public/models"))
    .action(bundle);
}

async function bundle(model: string, options: Options): Promise<void> {
  const folder = resolve(options.out);
  const { release, root } = isModelFile(model)
    ? await ofFile(model, options)
    : await ofCoordinator(model, options);
  const written = await writeReleaseFolder(folder, release, root);
  const expiresAt = new Date(release.expiresMs).toISOString();
  const models = release.models.map(({ model: name, version }) => ({ name, version }));
  if (options.json === true) {
    return console.log(JSON.stringify({ folder, models, expiresAt, ...written }));
  }
  for (const { name, version } of models) console.log(`${name}  version ${version}`);
  console.log(
    `${folder}: ${counted(written.files, "file")}, ${formatBytes(written.sizeBytes)}, signed until ${expiresAt.slice(0, 10)}`,
  );
  console.log(`pin ${folder}/root.json in the app (trust.root)`);
}

async function ofFile(
  file: string,
  { float32, keys, validDays, ...options }: Options,
): Promise<{ readonly release: ReadRelease; readonly root: Uint8Array }> {
  const { name: called, bytes } = await readPublishedFile(file, options);
  return await publishLocally({
    dataDir: resolve(keys),
    name: called,
    file: bytes,
    exact: float32,
    validDays,
  });
}

async function ofCoordinator(
  model: string,
  options: Options,
): Promise<{ readonly release: ReadRelease; readonly root: Uint8Array }> {
  const root = await trustedRoot(options);
  const { url, channel, float32: exact } = options;
  return { release: await readRelease({ url, root, models: [model], channel, exact }), root };
}
