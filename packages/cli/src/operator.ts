import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createApiClient, type ApiClient } from "@tributary/api-client";
import { failure } from "@tributary/core";
import { Option, type Command } from "commander";
import { loginAt } from "./access/logins.ts";

/** How a command reaches the coordinator as an operator. */
export interface OperatorOptions {
  readonly url: string;
  readonly dataDir: string;
}

export const DEFAULT_URL = "http://127.0.0.1:7700";
const DEFAULT_DATA_DIR = ".tributary";

export const urlOption = (): Option =>
  new Option("--url <url>", "the coordinator").env("TRIBUTARY_URL").default(DEFAULT_URL);

export const dataDirOption = (): Option =>
  new Option("--data-dir <dir>", "the coordinator's data, where its operator token stands").default(
    DEFAULT_DATA_DIR,
  );

/**
 * The operator token: `TRIBUTARY_TOKEN`; else that of the folder that `--data-dir` names; else what `tributary login` kept for the URL; else
 * that of the default folder, where a local coordinator wrote it.
 *
 * @throws `cli/not-logged-in`
 */
export function operatorToken(options: OperatorOptions): string {
  const { token, file, cause } = findToken(options);
  if (token !== undefined) return token;
  throw failure(
    "cli/not-logged-in",
    `no operator token: TRIBUTARY_TOKEN is not set, nobody signed in to ${options.url} here, and ${file} cannot be read; run tributary login ${options.url}, set the variable, or name the coordinator's folder with --data-dir`,
    { cause, detail: { file } },
  );
}

/** The operator token where there is one: some coordinators let everyone read. */
export function operatorTokenIfAny(options: OperatorOptions): string | undefined {
  return findToken(options).token;
}

/** For what only reads. */
export function readerApi(options: OperatorOptions): ApiClient {
  return createApiClient({ baseUrl: options.url, token: operatorTokenIfAny(options) });
}

/** For what changes something, or shows what not everyone may see. @throws `cli/not-logged-in` */
export function operatorApi(options: OperatorOptions): ApiClient {
  return createApiClient({ baseUrl: options.url, token: operatorToken(options) });
}

/** The options of a command that asks a coordinator and prints an answer. */
export const online = (command: Command): Command =>
  command.addOption(urlOption()).addOption(dataDirOption()).option("--json", "print one JSON object");

export interface OnlineOptions extends OperatorOptions {
  readonly json?: boolean;
}

interface FoundToken {
  readonly token?: string;
  readonly file: string;
  /** Why the file gave none. */
  readonly cause?: unknown;
}

function findToken({ url, dataDir }: OperatorOptions): FoundToken {
  const file = join(dataDir, "operator-token");
  const fromEnvironment = process.env.TRIBUTARY_TOKEN;
  if (fromEnvironment !== undefined && fromEnvironment !== "") return { token: fromEnvironment, file };
  const login = dataDir === DEFAULT_DATA_DIR ? loginAt(url) : undefined;
  if (login !== undefined) return { token: login.token, file };
  try {
    return { token: readFileSync(file, "utf8").trim(), file };
  } catch (cause) {
    return { file, cause };
  }
}
