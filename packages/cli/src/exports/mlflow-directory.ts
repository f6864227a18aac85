import { encodeUtf8, failure, sha256 } from "@tributary/core";
import type { GraphPort } from "@tributary/protocol";
import type { FileOfExport } from "./exported-files.ts";
import type { VersionSource } from "./version-download.ts";
import type { WriteFile } from "./whole-folder.ts";

/** What the files name as the environment; any later one runs the model too. */
const PYTHON = "3.11.0";
const REQUIREMENTS = ["mlflow>=2.9", "onnx>=1.16", "onnxruntime>=1.18", "numpy"] as const;
const DATA = "model.onnx";

/**
 * Writes an MLflow model directory with the flavours `onnx` and `python_function`: `mlflow.onnx.load_model` and
 * `mlflow.pyfunc.load_model` open it.
 *
 * @throws `cli/export-unsupported` for models that are no ONNX
 */
export async function writeMlflowDirectory(
  write: WriteFile,
  { files: source }: Pick<VersionSource, "files">,
  files: AsyncIterable<FileOfExport>,
): Promise<void> {
  if (source.format !== "onnx")
    throw failure(
      "cli/export-unsupported",
      `export: MLflow has no flavour for ${source.format}; use --format folder or oci`,
    );
  for await (const { role, bytes } of files) {
    if (role !== "model") continue;
    await write(DATA, bytes);
    await write("MLmodel", encodeUtf8(mlmodel(source, bytes)));
    break;
  }
  await write("requirements.txt", encodeUtf8(`${REQUIREMENTS.join("\n")}\n`));
  await write("conda.yaml", encodeUtf8(conda()));
  await write("python_env.yaml", encodeUtf8(pythonEnv()));
}

/** A text as YAML takes it, whatever is in it: JSON's form of it is one of YAML's. */
const quoted = (text: string): string => JSON.stringify(text);

function mlmodel({ version, inputs, outputs }: VersionSource["files"], model: Uint8Array): string {
  const { model: name, createdAt, parameterCount, weightsDigest } = version;
  return [
    "flavors:",
    "  onnx:",
    "    code: null",
    `    data: ${DATA}`,
    "    onnx_session_options: null",
    `    onnx_version: ${quoted("1.16.0")}`,
    "    providers:",
    "    - CPUExecutionProvider",
    "  python_function:",
    `    data: ${DATA}`,
    "    env:",
    "      conda: conda.yaml",
    "      virtualenv: python_env.yaml",
    "    loader_module: mlflow.onnx",
    `    python_version: ${quoted(PYTHON)}`,
    "metadata:",
    `  tributary_model: ${quoted(name)}`,
    `  tributary_parameters: ${parameterCount}`,
    `  tributary_version: ${version.version}`,
    `  tributary_weights_sha256: ${quoted(weightsDigest)}`,
    `model_size_bytes: ${model.length}`,
    // The same version gives the same files.
    `model_uuid: ${quoted(sha256(model).slice(0, 32))}`,
    "signature:",
    `  inputs: ${quoted(signature(inputs))}`,
    `  outputs: ${quoted(signature(outputs))}`,
    "  params: null",
    `utc_time_created: ${quoted(createdAt.replace("T", " ").replace("Z", ""))}`,
    "",
  ].join("\n");
}

/** JSON within YAML, as MLflow has it; a free dimension is -1 there too. */
function signature(ports: readonly GraphPort[]): string {
  return JSON.stringify(
    ports.map(({ name, dtype, shape }) => ({
      name,
      type: "tensor",
      "tensor-spec": { dtype, shape },
    })),
  );
}

function conda(): string {
  return [
    "channels:",
    "- conda-forge",
    "dependencies:",
    `- python=${PYTHON}`,
    "- pip",
    "- pip:",
    ...REQUIREMENTS.map((each) => `  - ${quoted(each)}`),
    "name: mlflow-env",
    "",
  ].join("\n");
}

function pythonEnv(): string {
  return [
    `python: ${quoted(PYTHON)}`,
    "build_dependencies:",
    "- pip",
    "dependencies:",
    `- ${quoted("-r requirements.txt")}`,
    "",
  ].join("\n");
}
