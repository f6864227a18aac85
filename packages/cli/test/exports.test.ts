import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { cp, mkdir, readdir, readFile, rename, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createApiClient, type ApiClient } from "@tributary/api-client";
import { createCoordinator, type Coordinator } from "@tributary/coordinator";
import { build2nn, buildLinear, decodeModel, encodeModel, splitWeights } from "@tributary/onnx";
import { parseExportedVersion, PROCESSING_KEY } from "@tributary/protocol";
import { parametersToSafetensors } from "@tributary/tensor";
import { Ajv } from "ajv";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { playRound, publishTask, rooms } from "../../../coordinator/test/rounds/rounds-room.ts";
import { smallClassifier } from "../../../coordinator/test/rounds/small-classifier.ts";
import { EXIT_CODES } from "../src/exit-codes.ts";
import { OCI_SCHEMAS } from "./oci-schemas.ts";
import { runMain } from "./run-main.ts";

const folder = mkdtempSync(join(tmpdir(), "tributary-exports-"));
const at = (name: string): string => join(folder, name);
const { open, dispose } = rooms();
let coordinator: Coordinator;
let dataDir: string;
let api: ApiClient;

/** The 2NN with labels, which stand in the file. */
const labelled = (): Uint8Array => {
  const model = decodeModel(build2nn({ seed: 3 }));
  const processing = {
    output: { name: "logits", activation: "softmax", topK: 2 },
    labels: Array.from("0123456789"),
  };
  return encodeModel({
    ...model,
    metadata: [...model.metadata, { key: PROCESSING_KEY, value: JSON.stringify(processing) }],
  });
};

beforeAll(async () => {
  const room = await open();
  await publishTask(room, {
    cohort: { goalCount: 1, minimumCount: 1, overSelection: 1 },
    evaluation: { dataset: null },
    strategy: { name: "fedAdam" },
    stepPrecision: "int8",
  });
  for (const phase of [1, 2])
    await playRound(room, [Float32Array.from({ length: 7850 }, (_, i) => 0.01 * Math.sin(i * phase))]);
  await room.registry.changeTask("digits" as never, { state: "paused" });
  await room.stop();
  dataDir = room.folder;
  coordinator = await createCoordinator({ dataDir, port: 0, logLevel: "silent" });
  api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  await api.publishModel("labelled", labelled());
  await api.publishModel("in-training", smallClassifier({ training: true }));
});
afterAll(async () => {
  await coordinator?.close();
  await dispose();
  rmSync(folder, { recursive: true });
});

const tributary = (...args: string[]) => runMain(...args, "--url", coordinator.url, "--data-dir", dataDir);
async function exported(model: string, version: number, name: string, ...more: string[]): Promise<string> {
  const args = ["model", "export", model, String(version), "--out", at(name), ...more];
  const { code, stderr } = await tributary(...args);
  expect([code, stderr]).toEqual([0, expect.not.stringContaining("tributary:")]);
  return at(name);
}
const read = (...path: string[]): Promise<Buffer> => readFile(join(...path));
const json = async (...path: string[]) => JSON.parse((await read(...path)).toString()) as never;
const sha = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const tree = async (root: string): Promise<string[]> =>
  (await readdir(root, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .toSorted();

describe("model export and import", () => {
  test("a folder: the model as others run it, its weights, a manifest and checksums; the same version again by import", async () => {
    const out = await exported("labelled", 1, "labelled-1");
    expect(await tree(out)).toEqual([
      "SHA256SUMS",
      "card.json",
      "card.md",
      "manifest.json",
      "model.onnx",
      "weights.int8.safetensors",
      "weights.safetensors",
    ]);
    for (const line of (await read(out, "SHA256SUMS")).toString().trim().split("\n"))
      expect(line).toBe(`${sha(await read(out, line.slice(66)))}  ${line.slice(66)}`);
    const manifest = parseExportedVersion(await read(out, "manifest.json"));
    expect(manifest).toMatchObject({
      version: { model: "labelled", version: 1 },
      labels: Array.from("0123456789"),
      processing: { output: { topK: 2 } },
    });
    expect(await json(out, "card.json")).toMatchObject({ version: { model: "labelled", version: 1 } });
    expect((await read(out, "card.md")).toString()).toMatch(/^# labelled/);
    const split = splitWeights(await read(out, "model.onnx"));
    expect(sha(parametersToSafetensors(split.parameters))).toBe(manifest.version.weightsDigest);

    const again = await tributary("model", "import", out, "--name", "copy", "--json");
    expect(JSON.parse(again.stdout)).toMatchObject({
      model: "copy",
      version: 1,
      weightsDigest: manifest.version.weightsDigest,
    });
    expect((await tributary("model", "import", out, "--no-release")).stdout).toMatch(
      /^imported labelled version 1 as labelled version 2: 199210 parameters, \d+ kB float32$/m,
    );
    expect(await api.model("labelled")).toMatchObject({ currentVersion: 2, releasedVersion: 1 });
    const [first, second] = [await api.versionFiles("labelled", 1), await api.versionFiles("copy", 1)];
    expect({ ...second, version: null }).toEqual({ ...first, version: null });
    const records = await fetch(`${coordinator.url}/v1/audit?action=model.import`, {
      headers: { authorization: `Bearer ${coordinator.operatorToken}` },
    });
    expect(((await records.json()) as { records: unknown[] }).records).toMatchObject([
      { object: { model: "labelled", version: 2 } },
      { object: { model: "copy" }, detail: { manifest: sha(await read(out, "manifest.json")) } },
    ]);
  });

  test("a model in training mode goes both ways: as inference runs it, and as it was exported", async () => {
    const out = await exported("in-training", 1, "in-training-1");
    expect(await tree(out)).toContain("training.onnx");
    const again = await tributary("model", "import", out, "--name", "in-training-too", "--json");
    expect(again.code).toBe(0);
    const [first, second] = await Promise.all(
      ["in-training", "in-training-too"].map((name) => api.versionFiles(name, 1)),
    );
    expect({ ...second, version: null }).toEqual({ ...first, version: null });
  });

  test("an OCI image layout: an artifact whose layers are the folder's files", async () => {
    const out = await exported("digits", 3, "layout", "--format", "oci");
    expect(await json(out, "oci-layout")).toEqual({ imageLayoutVersion: "1.0.0" });
    const index = await json(out, "index.json");
    const descriptor = {
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      artifactType: "application/vnd.tributary.model.version.v1",
      digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
      size: expect.any(Number),
      annotations: { "org.opencontainers.image.ref.name": "3" },
    };
    expect(index).toEqual({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.index.v1+json",
      manifests: [descriptor],
    });
    const [{ digest, size }] = (index as { manifests: [{ digest: string; size: number }] }).manifests;
    const manifestBytes = await read(out, "blobs", digest.replace(":", "/"));
    expect([`sha256:${sha(manifestBytes)}`, manifestBytes.length]).toEqual([digest, size]);
    const manifest = JSON.parse(manifestBytes.toString()) as {
      config: object;
      layers: { mediaType: string; digest: string; size: number; annotations: Record<string, string> }[];
    };
    expect(manifest).toMatchObject({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      artifactType: "application/vnd.tributary.model.version.v1",
      annotations: {
        "org.opencontainers.image.created": expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
        "org.opencontainers.image.title": "digits version 3",
        "org.opencontainers.image.version": "3",
      },
    });
    for (const [document, schema] of [
      [await json(out, "oci-layout"), OCI_SCHEMAS.layout],
      [index, OCI_SCHEMAS.index],
      [manifest, OCI_SCHEMAS.manifest],
    ] as const) {
      const ajv = new Ajv({ allErrors: true, strictTypes: false, strictRequired: false });
      expect([ajv.validate(schema, document), ajv.errorsText()]).toEqual([true, "No errors"]);
    }
    // The empty descriptor of image-spec 1.1, with its bytes beside it.
    expect(manifest.config).toEqual({
      mediaType: "application/vnd.oci.empty.v1+json",
      digest: "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
      size: 2,
      data: "e30=",
    });
    const blobs = new Map(
      await Promise.all(
        (await readdir(join(out, "blobs/sha256"))).map(
          async (name) => [name, await read(out, "blobs/sha256", name)] as const,
        ),
      ),
    );
    for (const [name, bytes] of blobs) expect(sha(bytes)).toBe(name);
    expect(blobs.get("44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a")!.toString()).toBe(
      "{}",
    );
    const mediaType = /^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$/;
    for (const layer of manifest.layers) {
      expect(layer.mediaType).toMatch(mediaType);
      expect(blobs.get(layer.digest.slice(7))?.length).toBe(layer.size);
    }
    expect(manifest.layers.map(({ annotations }) => annotations["org.opencontainers.image.title"])).toEqual([
      "manifest.json",
      "model.onnx",
      "weights.safetensors",
      "weights.int8.safetensors",
      "card.json",
      "card.md",
    ]);
    // Everything in the layout is named by something: blobs are those of layers, configuration and manifest.
    expect(blobs.size).toBe(manifest.layers.length + 2);
    const again = await tributary("model", "import", out, "--name", "from-layout", "--json");
    expect(JSON.parse(again.stdout)).toMatchObject({
      model: "from-layout",
      version: 1,
      weightsDigest: (await api.versions("digits")).versions[0]!.weightsDigest,
    });
  });

  test("an MLflow model directory, the same bytes each time", async () => {
    const out = await exported("labelled", 1, "mlflow", "--format", "mlflow");
    expect(await tree(out)).toEqual([
      "MLmodel",
      "conda.yaml",
      "model.onnx",
      "python_env.yaml",
      "requirements.txt",
    ]);
    const [version] = (await api.versions("labelled")).versions.filter((each) => each.version === 1);
    const model = await read(out, "model.onnx");
    expect((await read(out, "MLmodel")).toString()).toBe(`flavors:
  onnx:
    code: null
    data: model.onnx
    onnx_session_options: null
    onnx_version: "1.16.0"
    providers:
    - CPUExecutionProvider
  python_function:
    data: model.onnx
    env:
      conda: conda.yaml
      virtualenv: python_env.yaml
    loader_module: mlflow.onnx
    python_version: "3.11.0"
metadata:
  tributary_model: "labelled"
  tributary_parameters: 199210
  tributary_version: 1
  tributary_weights_sha256: "${version!.weightsDigest}"
model_size_bytes: ${model.length}
model_uuid: "${sha(model).slice(0, 32)}"
signature:
  inputs: "[{\\"name\\":\\"image\\",\\"type\\":\\"tensor\\",\\"tensor-spec\\":{\\"dtype\\":\\"float32\\",\\"shape\\":[-1,1,28,28]}}]"
  outputs: "[{\\"name\\":\\"logits\\",\\"type\\":\\"tensor\\",\\"tensor-spec\\":{\\"dtype\\":\\"float32\\",\\"shape\\":[-1,10]}}]"
  params: null
utc_time_created: "${version!.createdAt.slice(0, -1).replace("T", " ")}"
`);
    expect((await read(out, "requirements.txt")).toString()).toContain("onnxruntime");
    const twice = await exported("labelled", 1, "mlflow-too", "--format", "mlflow");
    for (const file of await tree(out)) expect(await read(twice, file)).toEqual(await read(out, file));
  });

  test("nothing is overwritten, and nothing is there where an export ends half way", async () => {
    await mkdir(at("taken"));
    const taken = await tributary("model", "export", "labelled", "1", "--out", at("taken"));
    expect(taken).toMatchObject({ code: 1, stderr: expect.stringContaining("exists") });
    expect(await readdir(at("taken"))).toEqual([]);
    const unknown = await tributary("model", "export", "labelled", "99", "--out", at("none"));
    expect(unknown.code).toBe(EXIT_CODES.notFound);
    // Nobody has asked for its files yet: what a coordinator has answered it may have in memory.
    await api.publishModel("lost", buildLinear({ seed: 5 }));
    const { weights } = await api.versionFiles("lost", 1);
    const blob = join(dataDir, "blobs", weights.digest.slice(0, 2), weights.digest);
    await rename(blob, `${blob}.away`);
    const half = await tributary("model", "export", "lost", "1", "--out", at("half"));
    await rename(`${blob}.away`, blob);
    expect(half.code).toBe(1);
    const names = await readdir(folder);
    expect(names.filter((name) => name.startsWith(".") || ["none", "half"].includes(name))).toEqual([]);
  });

  describe("what was changed is not imported", () => {
    let whole: string;
    let layout: string;
    let count = 0;
    beforeAll(async () => {
      whole = await exported("digits", 2, "whole");
      layout = await exported("digits", 2, "whole-layout", "--format", "oci");
    });

    /** A copy, changed by `change`; gives what importing it says. */
    async function refusal(from: string, change: (copy: string) => Promise<unknown>): Promise<string> {
      const copy = at(`copy-${(count += 1)}`);
      await cp(from, copy, { recursive: true });
      await change(copy);
      const before = (await api.models()).length;
      const { code, stderr, stdout } = await tributary("model", "import", copy, "--name", `never-${count}`);
      expect([code, stdout]).toEqual([1, ""]);
      expect((await api.models()).length).toBe(before);
      return stderr;
    }
    const flip = async (...path: string[]): Promise<void> => {
      const bytes = await read(...path);
      bytes[bytes.length >> 1]! ^= 1;
      await writeFile(join(...path), bytes);
    };
    /** The manifest with other files, and checksums that agree with it. */
    const forge = async (copy: string, edit: (manifest: { files: { path: string }[] }) => void) => {
      const manifest = (await json(copy, "manifest.json")) as { files: { path: string; digest: string }[] };
      edit(manifest);
      const bytes = JSON.stringify(manifest);
      await writeFile(join(copy, "manifest.json"), bytes);
      const sums = [
        ...manifest.files.map(({ digest, path }) => `${digest}  ${path}`),
        `${sha(Buffer.from(bytes))}  manifest.json`,
      ];
      await writeFile(join(copy, "SHA256SUMS"), `${sums.join("\n")}\n`);
    };

    test.each(["model.onnx", "weights.safetensors", "weights.int8.safetensors"])(
      "a byte of %s",
      async (file) => {
        expect(await refusal(whole, (copy) => flip(copy, file))).toContain(file);
      },
    );

    test("a manifest that is another one than the checksums say", async () => {
      const edited = await refusal(whole, async (copy) => {
        const text = (await read(copy, "manifest.json")).toString();
        await writeFile(join(copy, "manifest.json"), text.replace('"version": 2', '"version": 9'));
      });
      expect(edited).toContain("SHA256SUMS and manifest.json do not agree");
    });

    test("a path that leads out of the folder, or by a link", async () => {
      await writeFile(at("secret"), "secret");
      for (const path of ["../secret", "/etc/hostname", "a/../../secret", "a\\..\\secret", ".hidden"])
        expect(
          await refusal(whole, (copy) => forge(copy, (manifest) => (manifest.files[0]!.path = path))),
        ).toContain("/files/0/path");
      const linked = async (copy: string, name: string): Promise<void> => {
        await rename(join(copy, name), at(`moved-${count}`));
        await symlink(at(`moved-${count}`), join(copy, name));
      };
      expect(await refusal(whole, (copy) => linked(copy, "model.onnx"))).toContain("is a link");
      expect(await refusal(whole, (copy) => linked(copy, "manifest.json"))).toContain("is a link");
      expect(await refusal(layout, (copy) => linked(copy, "blobs/sha256"))).toContain("behind a link");
    });

    test("a model whose weights are not those beside it", async () => {
      const other = await refusal(whole, async (copy) => {
        const model = buildLinear({ seed: 77 });
        await writeFile(join(copy, "model.onnx"), model);
        await forge(copy, (manifest) => {
          const file = manifest.files.find(({ path }) => path === "model.onnx")!;
          Object.assign(file, { digest: sha(model), sizeBytes: model.length });
        });
      });
      expect(other).toContain("are not those of weights.safetensors");
    });

    test("an OCI layout with another blob, another manifest, or none of ours", async () => {
      const blobOf = async (copy: string, title: string): Promise<string> => {
        const { manifests } = (await json(copy, "index.json")) as { manifests: { digest: string }[] };
        const path = join(copy, "blobs", manifests[0]!.digest.replace(":", "/"));
        if (title === "") return path;
        const { layers } = (await json(path)) as {
          layers: { digest: string; annotations: Record<string, string> }[];
        };
        const layer = layers.find(
          ({ annotations }) => annotations["org.opencontainers.image.title"] === title,
        )!;
        return join(copy, "blobs", layer.digest.replace(":", "/"));
      };
      for (const title of ["", "manifest.json", "model.onnx"])
        expect(await refusal(layout, async (copy) => flip(await blobOf(copy, title)))).toContain(
          "blobs/sha256/",
        );
      expect(
        await refusal(layout, (copy) =>
          writeFile(join(copy, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [] })),
        ),
      ).toContain("names 0 manifests");
      expect(await refusal(layout, (copy) => writeFile(join(copy, "oci-layout"), "{}"))).toContain(
        "oci-layout",
      );
      expect(await refusal(layout, (copy) => writeFile(join(copy, "index.json"), "["))).toContain(
        "is no JSON",
      );
    });

    test("what is no export, or not there", async () => {
      expect(
        await refusal(whole, (copy) => rename(join(copy, "manifest.json"), join(copy, "other"))),
      ).toContain("manifest.json is not there");
      expect((await tributary("model", "import", at("nowhere"))).stderr).toContain("cannot be read");
      expect(
        await refusal(whole, async (copy) => {
          await rename(join(copy, "weights.safetensors"), join(copy, "other"));
          await mkdir(join(copy, "weights.safetensors"));
        }),
      ).toContain("weights.safetensors");
    });
  });
});

describe("reproduce", () => {
  test("by the coordinator: bit for bit, or what is missing, with an exit code for scripts", async () => {
    const same = await tributary("reproduce", "digits", "newest");
    expect(same).toMatchObject({ code: 0, stderr: "" });
    expect(same.stdout).toMatch(/^digits version 3: bit for bit$/m);
    expect(same.stdout).toMatch(/^ {2}rounding's residual {2}sha256 [0-9a-f]{64}$/m);
    expect(same.stdout).toMatch(/the updates in it are not kept$/m);
    const published = await tributary("reproduce", "labelled", "1", "--json");
    expect(published.code).toBe(1);
    expect(JSON.parse(published.stdout)).toMatchObject({ missing: [{ what: "round", why: "published" }] });
    expect((await tributary("reproduce", "digits")).stderr).toContain("name a model and a version");
  });

  test("from an exported folder or layout alone; a changed byte of it is found", async () => {
    const reproduce = (from: string) => runMain("reproduce", "--from", from, "--json");
    for (const format of ["folder", "oci"]) {
      const out = await exported("digits", 3, `step-${format}`, "--format", format, "--with-states");
      const { code, stdout } = await reproduce(out);
      expect([code, JSON.parse(stdout)]).toMatchObject([0, { result: "same", version: 3 }]);
    }
    expect(await tree(at("step-folder"))).toContain("step/optimizer.safetensors");
    const bytes = await read(at("step-folder"), "step/aggregate.safetensors");
    bytes[bytes.length - 1]! ^= 1;
    await writeFile(join(at("step-folder"), "step/aggregate.safetensors"), bytes);
    expect((await reproduce(at("step-folder"))).stderr).toContain(
      "step/aggregate.safetensors has the SHA-256",
    );

    const without = await exported("digits", 3, "without-states");
    expect((await reproduce(without)).stderr).toContain("--with-states");
    const nothing = await tributary(
      "model",
      "export",
      "labelled",
      "1",
      "--with-states",
      "--out",
      at("no-step"),
    );
    expect(nothing.stderr).toContain("round published");
    expect(await readdir(folder)).not.toContain("no-step");
  });

  test("task reset asks before it does it, and says what the server optimizer goes on with", async () => {
    const asked = await tributary("task", "reset", "digits", "--to", "2");
    expect(asked).toMatchObject({
      code: EXIT_CODES.misuse,
      stderr: expect.stringContaining("Say so with --yes"),
    });
    const done = await tributary("task", "reset", "digits", "--to", "2", "--yes");
    expect(done.stdout).toBe(
      "digits goes on from version 2 instead of 3: its server optimizer remembers what it did then; tributary task resume digits lets it run\n",
    );
    expect((await api.task("digits")).currentVersion).toBe(2);
  });
});
