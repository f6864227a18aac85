import { createVirtualClock } from "@tributary/core/testing";
import { describe, expect, test } from "vitest";
import { createTufClient, verifyTarget, type TufClientOptions } from "../src/index.ts";
import { publishedData, served } from "./published-data.ts";
import { memoryStore, readJson, writeJson } from "./repository.ts";

const read = publishedData("tuf");

function clientOf(
  trustedRoot: Uint8Array,
  file: (fileName: string) => Uint8Array | undefined,
  startMs: number,
  options: Partial<TufClientOptions> = {},
) {
  const store = memoryStore();
  const clock = createVirtualClock({ startMs });
  const fetcher = { metadata: (fileName: string) => Promise.resolve(file(fileName)) };
  return { client: createTufClient({ trustedRoot, store, fetcher, clock, ...options }), store };
}

describe.skipIf(read === undefined)(
  "python-tuf's repository (RSA-PSS root, Ed25519, no consistent snapshots)",
  () => {
    const folder = "python-tuf-repository_data/repository";
    const startMs = Date.UTC(2026, 0, 1);

    test("refreshes and verifies its targets", async () => {
      const file = served(read!, `${folder}/metadata`);
      const { client } = clientOf(file("root.json")!, file, startMs);
      await client.refresh();
      expect([...client.targets().keys()]).toEqual(["file1.txt", "file2.txt"]);
      expect(client.target("file1.txt")?.custom).toEqual({ file_permissions: "0644" });
      for (const name of ["file1.txt", "file2.txt"]) {
        verifyTarget(client.target(name)!, read!(`${folder}/targets/${name}`));
      }
      expect(() => verifyTarget(client.target("file1.txt")!, read!(`${folder}/targets/file2.txt`))).toThrow(
        expect.objectContaining({ code: "tuf/target-mismatch" }),
      );
      // file3.txt belongs to the delegated role1, whose terminating sibling and child are not in its way.
      expect(client.target("file3.txt")).toBeUndefined();
      const delegated = await client.find("file3.txt");
      verifyTarget(delegated!, read!(`${folder}/targets/file3.txt`));
      expect(await client.find("file4.txt")).toBeUndefined();
    });

    test("is refused after its expiry in 2030", async () => {
      const file = served(read!, `${folder}/metadata`);
      const { client } = clientOf(file("root.json")!, file, Date.UTC(2030, 0, 1));
      await expect(client.refresh()).rejects.toMatchObject({ code: "tuf/expired" });
    });

    test("without WebCrypto its RSA root cannot be verified", async () => {
      const file = served(read!, `${folder}/metadata`);
      const { client } = clientOf(file("root.json")!, file, startMs, { subtle: null });
      await expect(client.refresh()).rejects.toMatchObject({ code: "tuf/threshold-not-met" });
    });
  },
);

describe.skipIf(read === undefined)(
  "tuf-on-ci 0.11, from tuf-conformance (ECDSA keys of YubiKey and Cloud KMS)",
  () => {
    const folder = "conformance-static/tuf-on-ci-0.11";

    test("refreshes at the time the test data names", async () => {
      const startMs = Date.parse(
        new TextDecoder()
          .decode(read!(`${folder}/faketime`))
          .trim()
          .replace(" ", "T"),
      );
      const root = read!(`${folder}/initial_root.json`);
      const { client, store } = clientOf(root, served(read!, `${folder}/metadata`), startMs);
      await client.refresh();
      expect(client.rootVersion).toBe(1);
      expect(client.timestampVersion).toBe(2);
      expect(store.files.get("snapshot")).toEqual(read!(`${folder}/metadata/2.snapshot.json`));
      expect(client.targets().size).toBe(0);
      const artifact = await client.find("delegatedrole/artifact");
      verifyTarget(artifact!, read!(`${folder}/targets/delegatedrole/${artifact!.sha256}.artifact`));
    });

    test("a changed byte of an ECDSA signature or of the content is noticed", async () => {
      const file = served(read!, `${folder}/metadata`);
      const startMs = Date.UTC(2026, 0, 1);
      const root = read!(`${folder}/initial_root.json`);
      const signature = readJson(file("timestamp.json")!);
      const { sig } = signature.signatures[0]!;
      signature.signatures[0]!.sig = sig.slice(0, -2) + (sig.endsWith("00") ? "01" : "00");
      const content = readJson(file("timestamp.json")!);
      content.signed.version = 3;
      for (const json of [signature, content]) {
        const tampered = (name: string) => (name === "timestamp.json" ? writeJson(json) : file(name));
        await expect(clientOf(root, tampered, startMs).client.refresh()).rejects.toMatchObject({
          code: "tuf/threshold-not-met",
        });
      }
    });
  },
);
