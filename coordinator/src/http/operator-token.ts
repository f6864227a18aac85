import { createHash, timingSafeEqual } from "node:crypto";
import { open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { encodeBase64url, failure, type SecureRandom } from "@tributary/core";

const TOKEN_BYTES = 32;

/** Reads the operator's token from `<dataDir>/operator-token`, or makes one that only the file's owner can read. */
export async function operatorTokenOf(dataDir: string, random: SecureRandom): Promise<string> {
  const path = join(dataDir, "operator-token");
  try {
    const token = (await readFile(path, "utf8")).trim();
    if (token.length >= 16) return token;
    throw failure(
      "coordinator/data-dir-unusable",
      `coordinator: ${path} holds no token (at least 16 characters); remove it to get a new one`,
    );
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  const token = encodeBase64url(random.bytes(TOKEN_BYTES));
  // Whole or not at all: a start that is killed here must not leave an empty file to the next one.
  const temporary = `${path}.new`;
  await rm(temporary, { force: true });
  const file = await open(temporary, "wx", 0o600);
  try {
    await file.writeFile(`${token}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  return token;
}

/** Checks `Authorization: Bearer …` in constant time. */
export function createBearerCheck(token: string): (authorization: string | undefined) => boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  const expected = digest(token);
  return (authorization) => {
    const given = /^Bearer +([^\s]+)$/i.exec(authorization ?? "")?.[1];
    // Compared also when nothing was given, so that both answers take as long.
    return timingSafeEqual(digest(given ?? ""), expected) && given !== undefined;
  };
}
