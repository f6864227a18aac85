import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Updater } from "tuf-js";
import { expect, onTestFinished, test, vi } from "vitest";
import { encodeUtf8 } from "@tributary/core";
import { publish } from "./delegated-release.ts";
import { newSigner, Repository, START_MS, targetOf } from "./repository.ts";

// Another client of the same specification reads what is signed here.

interface Peer {
  readonly updater: () => Updater;
  readonly targets: string;
}

/** A repository behind HTTP, laid out as the specification says, and tuf-js before it with the first root. */
async function served(repository: Repository): Promise<Peer> {
  const folder = mkdtempSync(join(tmpdir(), "tuf-js-"));
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url!);
    const metadata = path.startsWith("/metadata/")
      ? repository.files.get(path.slice("/metadata/".length))
      : undefined;
    // HASH.name: the tests' targets are their own paths.
    const [, folderOf = "", hash, name] = /^\/targets\/(.*?)([0-9a-f]{64})\.([^/]+)$/.exec(path) ?? [];
    const target =
      name !== undefined && targetOf(folderOf + name).sha256 === hash ? folderOf + name : undefined;
    const bytes = metadata ?? (target === undefined ? undefined : encodeUtf8(target));
    response.writeHead(bytes === undefined ? 404 : 200).end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  writeFileSync(join(folder, "root.json"), repository.files.get("1.root.json")!);
  return {
    targets: folder,
    updater: () =>
      new Updater({
        metadataDir: folder,
        metadataBaseUrl: `${url}/metadata`,
        targetDir: folder,
        targetBaseUrl: `${url}/targets`,
      }),
  };
}

/** The repositories of these tests were signed at START_MS, and the peer asks the machine what time it is. */
function atStart(): void {
  vi.useFakeTimers({ toFake: ["Date"], now: START_MS });
  onTestFinished(() => void vi.useRealTimers());
}

test("tuf-js refreshes and downloads, through a rotated root and delegated roles", async () => {
  atStart();
  const repository = await Repository.create();
  const old = repository.keys.root;
  repository.keys = {
    ...repository.keys,
    root: [await newSigner(), await newSigner()],
    targets: [await newSigner()],
  };
  await repository.publishRoot({ extraSigners: old, thresholds: { root: 2 } });
  await publish(
    repository,
    {
      targets: ["models/digits/stable.json"],
      delegations: [{ name: "digits-training", paths: ["rounds/digits/*"], terminating: true }],
    },
    {
      "digits-training": {
        targets: ["rounds/digits/7.json"],
        delegations: [{ name: "other", paths: ["*/*/*"] }],
      },
      other: { targets: ["rounds/digits/8.json"] },
    },
  );
  const { updater, targets } = await served(repository);
  const peer = updater();
  await peer.refresh();
  for (const path of ["models/digits/stable.json", "rounds/digits/7.json", "rounds/digits/8.json"]) {
    const info = await peer.getTargetInfo(path);
    expect(info, path).toMatchObject({
      path,
      length: path.length,
      hashes: { sha256: targetOf(path).sha256 },
    });
    const file = await peer.downloadTarget(info!, join(targets, "downloaded"));
    expect(readFileSync(file, "utf8")).toBe(path);
  }
  expect(await peer.getTargetInfo("rounds/texts/1.json")).toBeUndefined();
});

test("tuf-js refuses what a delegated role's keys did not sign", async () => {
  atStart();
  const repository = await Repository.create();
  await publish(
    repository,
    { delegations: [{ name: "digits", paths: ["*"] }] },
    { digits: { targets: ["x"], signers: [await newSigner()] } },
  );
  const peer = (await served(repository)).updater();
  await peer.refresh();
  await expect(peer.getTargetInfo("x")).rejects.toThrow(/digits/);
});
