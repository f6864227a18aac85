import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { encodeHex, systemRandom } from "@tributary/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createKeyFile, readKeyFile } from "../../src/keys/key-file.ts";
import {
  createSigningKey,
  readOrCreateSigningKey,
  readSigningKey,
  requireSigningKey,
  signingKeyPath,
} from "../../src/keys/signing-key.ts";
import { codeOf } from "../../src/testing/index.ts";
import { temporaryFolder } from "../temporary-folder.ts";

let folder: string;
let remove: () => Promise<void>;

beforeEach(async () => {
  const temporary = await temporaryFolder();
  folder = join(temporary.path, "keys");
  remove = () => temporary.remove();
});
afterEach(() => remove());

const SECRET = new TextEncoder().encode("secret");

describe("key files", () => {
  test("are private, and their folder is", async () => {
    const path = join(folder, "a.secret");
    await createKeyFile(path, SECRET);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect(await readKeyFile(path)).toEqual(SECRET);
    expect(await readdir(folder)).toEqual(["a.secret"]);
  });

  test("are never overwritten, and a failed attempt leaves nothing behind", async () => {
    const path = join(folder, "a.secret");
    await createKeyFile(path, SECRET);
    expect(await codeOf(createKeyFile(path, new Uint8Array(9)))).toBe("store/conflict");
    expect(await readKeyFile(path)).toEqual(SECRET);
    expect(await readdir(folder)).toEqual(["a.secret"]);
  });

  test("of two that are created at once one stays whole", async () => {
    const path = join(folder, "a.secret");
    const codes = await Promise.all(
      [1, 2, 3].map((n) => codeOf(createKeyFile(path, new Uint8Array(64).fill(n)))),
    );
    expect(codes.filter((code) => code === undefined)).toHaveLength(1);
    expect(codes.filter((code) => code === "store/conflict")).toHaveLength(2);
    const bytes = (await readKeyFile(path))!;
    expect(new Set(bytes).size).toBe(1);
    expect(bytes.length).toBe(64);
  });

  test("absent is undefined; a file or folder that others can read is refused", async () => {
    const path = join(folder, "a.secret");
    expect(await readKeyFile(path)).toBeUndefined();
    await createKeyFile(path, SECRET);
    for (const mode of [0o640, 0o604, 0o620]) {
      await chmod(path, mode);
      expect(await codeOf(readKeyFile(path))).toBe("coordinator/key-insecure");
    }
    await chmod(path, 0o600);
    await chmod(folder, 0o755);
    expect(await codeOf(readKeyFile(path))).toBe("coordinator/key-insecure");
    expect(await codeOf(createKeyFile(join(folder, "b"), SECRET))).toBe("coordinator/key-insecure");
  });

  test("what is no plain file, empty or huge is damaged", async () => {
    await mkdir(folder, { mode: 0o700 });
    await writeFile(join(folder, "real"), "x", { mode: 0o600 });
    await symlink(join(folder, "real"), join(folder, "link"));
    await mkdir(join(folder, "folder"));
    await writeFile(join(folder, "empty"), "", { mode: 0o600 });
    await writeFile(join(folder, "huge"), new Uint8Array(65_537), { mode: 0o600 });
    for (const name of ["link", "folder", "empty", "huge"]) {
      expect([name, await codeOf(readKeyFile(join(folder, name)))]).toEqual([
        name,
        "coordinator/key-corrupt",
      ]);
    }
  });

  test("a folder that cannot be made is named", async () => {
    await mkdir(folder, { mode: 0o700 });
    await writeFile(join(folder, "file"), "x");
    expect(await codeOf(createKeyFile(join(folder, "file", "sub", "key"), SECRET))).toBe(
      "coordinator/data-dir-unusable",
    );
  });
});

describe("signing keys", () => {
  test("come back the same, and are made once", async () => {
    const made = await readOrCreateSigningKey(folder, "targets", systemRandom);
    const again = await readOrCreateSigningKey(folder, "targets", systemRandom);
    expect(again.keyId).toBe(made.keyId);
    const message = new TextEncoder().encode("message");
    expect(await again.sign(message)).toEqual(await made.sign(message));
    expect(await codeOf(createSigningKey(folder, "targets", systemRandom))).toBe("store/conflict");
  });

  test("a missing one is undefined, or coded where it is required", async () => {
    expect(await readSigningKey(folder, "root")).toBeUndefined();
    expect(await codeOf(requireSigningKey(folder, "root"))).toBe("coordinator/key-missing");
  });

  test("the key of another purpose, swapped halves and damage of any kind are noticed", async () => {
    await createSigningKey(folder, "targets", systemRandom);
    const other = await createSigningKey(folder, "snapshot", systemRandom);
    const path = signingKeyPath(folder, "targets");
    const good = await readFile(path, "utf8");
    const document = JSON.parse(good) as Record<string, unknown>;
    const damaged = [
      await readFile(signingKeyPath(folder, "snapshot"), "utf8"),
      JSON.stringify({ ...document, publicKey: encodeHex(other.publicKey) }),
      JSON.stringify({ ...document, formatVersion: 2 }),
      JSON.stringify({ ...document, algorithm: "RSA" }),
      JSON.stringify({ ...document, privateKey: "AAAA" }),
      JSON.stringify({ ...document, privateKey: undefined }),
      good.slice(0, -20),
      "null",
      "\u0000",
    ];
    for (const text of damaged) {
      await writeFile(path, text);
      expect(await codeOf(readSigningKey(folder, "targets"))).toBe("coordinator/key-corrupt");
    }
    await writeFile(path, good);
    expect(await readSigningKey(folder, "targets")).toBeDefined();
  });
});
