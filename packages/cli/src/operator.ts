import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Option } from "commander";
import { failure } from "@tributary/core";

/** How a command reaches the coordinator as an operator. */
export interface OperatorOptions {
  readonly url: string;
  readonly dataDir: string;
}

export const urlOption = (): Option =>
  new Option("--url <url>", "the coordinator").env("TRIBUTARY_URL").default("http://127.0.0.1:7700");

export const dataDirOption = (): Option =>
  new Option("--data-dir <dir>", "the coordinator's data, where its operator token stands").default(
    ".tributary",
  );

/** The operator token: `TRIBUTARY_TOKEN`, or the file a local coordinator wrote. @throws `cli/not-logged-in` */
export function operatorToken(options: OperatorOptions): string {
  const fromEnvironment = process.env.TRIBUTARY_TOKEN;
  if (fromEnvironment !== undefined && fromEnvironment !== "") return fromEnvironment;
  const file = join(options.dataDir, "operator-token");
  try {
    return readFileSync(file, "utf8").trim();
  } catch (cause) {
    throw failure(
      "cli/not-logged-in",
      `no operator token: TRIBUTARY_TOKEN is not set and ${file} cannot be read; set the variable, or name the coordinator's folder with --data-dir`,
      { cause, detail: { file } },
    );
  }
}

/** The operator token where there is one: for commands that say less without it. */
export function operatorTokenIfAny(options: OperatorOptions): string | undefined {
  try {
    return operatorToken(options);
  } catch {
    return undefined;
  }
}
