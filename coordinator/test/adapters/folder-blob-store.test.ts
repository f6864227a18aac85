import { chmod, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openFolderBlobStore } from "../../src/adapters/blob/folder-blob-store.ts";
import { codeOf, describeBlobStore } from "../../src/testing/index.ts";
import { temporaryFolder } from "../temporary-folder.ts";

describeBlobStore("folder", async () => {
  const folder = await temporaryFolder();
  const open = () => openFolderBlobStore({ folder: folder.path });
  return {
    store: await open(),
    reopen: open,
    unfinished: async () => (await readdir(join(folder.path, "incoming"))).length,
    dispose: () => folder.remove(),
  };
});

test("what a crash left unfinished is removed at opening", async () => {
  const folder = await temporaryFolder();
  const store = await openFolderBlobStore({ folder: folder.path });
  const { digest } = await store.put(new Uint8Array([1, 2, 3]));
  await writeFile(join(folder.path, "incoming", "half"), "half an upload");
  const again = await openFolderBlobStore({ folder: folder.path });
  expect(await readdir(join(folder.path, "incoming"))).toEqual([]);
  expect(await again.bytes(digest)).toHaveLength(3);
  await folder.remove();
});

test("a blob that lost its bytes is refused, by name, however it is read; its neighbours are served", async () => {
  const folder = await temporaryFolder();
  const store = await openFolderBlobStore({ folder: folder.path });
  const { digest } = await store.put(new Uint8Array([1, 2, 3]));
  const other = await store.put(new Uint8Array([4, 5, 6]));
  expect((await (await store.stream(digest)).toArray()).length).toBe(1);
  const path = join(folder.path, digest.slice(0, 2), digest);
  // Also one that was read well before.
  await writeFile(path, new Uint8Array([1, 2, 4]));
  await expect(store.bytes(digest)).rejects.toThrow(digest);
  expect(await codeOf(store.stream(digest))).toBe("store/corrupt");
  expect(await codeOf(store.stream(digest, { start: 0, end: 0 }))).toBe("store/corrupt");
  expect(await store.bytes(other.digest)).toEqual(new Uint8Array([4, 5, 6]));
  // As an operator mends it.
  await store.put(new Uint8Array([1, 2, 3]), { digest });
  expect(await store.bytes(digest)).toEqual(new Uint8Array([1, 2, 3]));
  await folder.remove();
});

test("a folder that cannot be used is a coded error", async () => {
  const folder = await temporaryFolder();
  const file = join(folder.path, "file");
  await writeFile(file, "");
  await chmod(file, 0o600);
  expect(await codeOf(openFolderBlobStore({ folder: file }))).toBe("store/unavailable");
  await folder.remove();
});
