import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createApiClient } from "@tributary/api-client";
import { createCoordinator } from "@tributary/coordinator";
import type { ModelName } from "@tributary/core";
import { readRelease, type ReadRelease } from "./read-release.ts";

export interface LocalPublication {
  /** Signing keys and earlier versions; made where it is missing. */
  readonly dataDir: string;
  readonly name: ModelName;
  /** ONNX, or a TensorFlow.js artifact. */
  readonly file: Uint8Array;
  /** As `readRelease` says. */
  readonly exact?: boolean | undefined;
  /** Days that the release holds. */
  readonly validDays: number;
}

/** Of each model, the SHA-256 of the file that was published last. */
const PUBLISHED = "bundled.json";

/**
 * Publishes a model by a coordinator that lives only for it, on a port of the loopback address, and reads the release of all models that
 * were published so. A file that did not change makes no new version.
 */
export async function publishLocally({
  dataDir,
  name,
  file,
  exact,
  validDays,
}: LocalPublication): Promise<{ readonly release: ReadRelease; readonly root: Uint8Array }> {
  const coordinator = await createCoordinator({
    dataDir,
    port: 0,
    metadataDays: validDays,
    logLevel: "error",
  });
  try {
    const { url, operatorToken: token, tufRoot: root } = coordinator;
    const api = createApiClient({ baseUrl: url, token });
    const published = await readPublished(dataDir);
    const digest = createHash("sha256").update(file).digest("hex");
    if (published[name] !== digest) {
      await api.publishModel(name, file);
      published[name] = digest;
      await writeFile(join(dataDir, PUBLISHED), `${JSON.stringify(published, undefined, 2)}\n`);
    }
    const models = (await api.models()).map((model) => model.name);
    return { release: await readRelease({ url, root, models, channel: "stable", exact }), root };
  } finally {
    await coordinator.close();
  }
}

async function readPublished(dataDir: string): Promise<Record<string, string>> {
  try {
    return JSON.parse(await readFile(join(dataDir, PUBLISHED), "utf8")) as Record<string, string>;
  } catch {
    return {}; // nothing was published, or nobody knows what: a version too many does no harm
  }
}
