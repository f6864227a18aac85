import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { failure, type DeviceId, type Digest } from "@tributary/core";
import type { UpdateClaim } from "@tributary/federation";
import { storageFailure, syncFile, syncFolder } from "../durable-files.ts";
import type { UpdateFile } from "./update-file.ts";

/** An update that counts. */
export interface Reported {
  readonly device: DeviceId;
  readonly claim: UpdateClaim;
}

/**
 * The folder of one round: updates as they come, updates that passed, and the sum. What passed has a name of its own, and is on
 * disk before the round counts it.
 */
export class ReportedFiles {
  readonly #folder: string;
  #next = 1;
  #opened: Promise<void> | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Makes the folder; rounds in which nothing is reported have none.
   *
   * @throws `store/quota-exceeded`, `store/unavailable`
   */
  open(): Promise<void> {
    return (this.#opened ??= this.#open().catch((error: unknown) => {
      this.#opened = undefined;
      throw error;
    }));
  }

  async #open(): Promise<void> {
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      await syncFolder(dirname(this.#folder));
    } catch (error) {
      throw storageFailure(error, "the folder of uploads");
    }
  }

  get sumPath(): string {
    return join(this.#folder, "sum");
  }

  /** Where another body may be received. */
  incoming(device: DeviceId): string {
    return join(this.#folder, `${device}-${this.#next++}.part`);
  }

  /** Makes a body that passed its checks durable, under its name. */
  async keep(file: UpdateFile, device: DeviceId, digest: Digest): Promise<UpdateFile> {
    // A name for each attempt: one that is given up must not take another's file with it.
    const path = join(this.#folder, `${prefix(device, digest)}-${this.#next++}.update`);
    try {
      await syncFile(file.path);
      await rename(file.path, path);
      await syncFolder(this.#folder);
    } catch (error) {
      throw storageFailure(error, "the folder of uploads");
    }
    return updateFile(path, file.sizeBytes);
  }

  /**
   * An update that an earlier process kept.
   *
   * @throws `store/corrupt` when it is not there, or is not what was kept
   */
  async find({ device, claim: { updateDigest, sizeBytes } }: Reported): Promise<UpdateFile> {
    const name = (await readdir(this.#folder)).find((each) => each.startsWith(prefix(device, updateDigest)));
    const path = join(this.#folder, name ?? "missing");
    const hash = createHash("sha256");
    if (name !== undefined)
      for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
    if (hash.digest("hex") !== updateDigest)
      throw failure("store/corrupt", `rounds: update ${updateDigest} of ${device} is not in ${this.#folder}`);
    return updateFile(path, sizeBytes);
  }

  /** Removes what an earlier process left of uploads that do not count. */
  async removeOthers(counted: readonly Reported[]): Promise<void> {
    const kept = counted.map(({ device, claim }) => prefix(device, claim.updateDigest));
    for (const name of await readdir(this.#folder)) {
      const path = join(this.#folder, name);
      if (path === this.sumPath || kept.some((each) => name.startsWith(each))) continue;
      await rm(path, { force: true });
    }
  }

  remove(): Promise<void> {
    return rm(this.#folder, { recursive: true, force: true });
  }
}

function prefix(device: DeviceId, digest: Digest): string {
  return `${device}-${digest}`;
}

function updateFile(path: string, sizeBytes: number): UpdateFile {
  return { path, sizeBytes, remove: () => rm(path, { force: true }) };
}
