import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { failure } from "@tributary/core";
import Type, { type Static } from "typebox";
import { Check } from "typebox/value";

const Login = Type.Object({
  /** The token itself: whoever reads it may what it may. */
  token: Type.String(),
  /** By which it is revoked. */
  id: Type.String(),
  name: Type.String(),
  expiresAt: Type.Union([Type.String(), Type.Null()]),
});
const LoginFile = Type.Object({ logins: Type.Record(Type.String(), Login) });

/** Where one signed in: the token that was made for it. */
export type Login = Static<typeof Login>;

/** By the XDG base directories; on Windows where it keeps such files. */
export function loginFile(env: NodeJS.ProcessEnv = process.env): string {
  const { XDG_CONFIG_HOME: named, APPDATA: roaming } = env;
  const folder =
    named !== undefined && named !== ""
      ? named
      : process.platform === "win32" && roaming !== undefined
        ? roaming
        : join(homedir(), ".config");
  return join(folder, "tributary", "logins.json");
}

/** The login at a coordinator, where there is one that has not ended. @throws `cli/file` where others could read it, or it is damaged */
export function loginAt(url: string, now = Date.now()): Login | undefined {
  const login = read()[keyOf(url)];
  if (login === undefined || login.expiresAt === null) return login;
  return Date.parse(login.expiresAt) <= now ? undefined : login;
}

/** Keeps it, in the place of one before. @returns the one before */
export function keepLogin(url: string, login: Login): Login | undefined {
  const logins = read();
  write({ ...logins, [keyOf(url)]: login });
  return logins[keyOf(url)];
}

/** @returns what it was */
export function forgetLogin(url: string): Login | undefined {
  const { [keyOf(url)]: login, ...others } = read();
  if (login !== undefined) write(others);
  return login;
}

function keyOf(url: string): string {
  if (URL.canParse(url)) return new URL(url).origin;
  throw failure("cli/usage", `expected the URL of a coordinator, got ${JSON.stringify(url)}`);
}

type Logins = Readonly<Record<string, Login>>;

function read(): Logins {
  const file = loginFile();
  let text: string;
  try {
    if (process.platform !== "win32" && (statSync(file).mode & 0o077) !== 0)
      throw failure("cli/file", `${file} holds tokens, and others may read it: chmod 600 it, or remove it`, {
        detail: { file },
      });
    text = readFileSync(file, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return {};
    throw error;
  }
  const found = parsed(text);
  if (Check(LoginFile, found)) return found.logins;
  throw failure("cli/file", `${file} is damaged: remove it, and sign in again`, { detail: { file } });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Whole or not at all, and never readable by others, not even while it is written. */
function write(logins: Logins): void {
  const file = loginFile();
  if (Object.keys(logins).length === 0) return rmSync(file, { force: true });
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const next = `${file}.${process.pid}`;
  writeFileSync(next, `${JSON.stringify({ logins }, null, 2)}\n`, { mode: 0o600 });
  // An older file of this name keeps its own mode.
  chmodSync(next, 0o600);
  renameSync(next, file);
}
