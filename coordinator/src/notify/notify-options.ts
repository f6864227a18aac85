import { readFile } from "node:fs/promises";
import { failure } from "@tributary/core";
import type { Command } from "commander";
import type { CoordinatorConfig } from "../config.ts";

export interface NotifyOptions {
  readonly notifyHost: readonly string[];
  readonly notifyPrivate?: true;
  readonly notifySecrets?: string;
  readonly notifyCa?: string;
}

/** Where alerts may be told. */
export function addNotifyOptions(command: Command): Command {
  const several = (text: string, before: readonly string[]): string[] => [...before, text];
  return command
    .option(
      "--notify-host <name>",
      "a host that notifications may go to: hooks.slack.com, *.example.org, smtp.example.org:587; may be repeated",
      several,
      [],
    )
    .option("--notify-private", "such a host may be on loopback or in a private network")
    .option("--notify-secrets <folder>", "a folder with the secrets that channels name as files")
    .option("--notify-ca <file>", "certificates (PEM) that such hosts are believed by beside the usual ones");
}

/** @throws cli/file for certificates that cannot be read */
export async function notifyOf(options: NotifyOptions): Promise<Pick<CoordinatorConfig, "notify">> {
  const { notifyHost: allowHosts, notifyPrivate, notifySecrets, notifyCa } = options;
  return {
    notify: {
      allowHosts,
      allowPrivate: notifyPrivate === true,
      ...(notifySecrets === undefined ? {} : { secretsFolder: notifySecrets }),
      ...(notifyCa === undefined ? {} : { ca: await certificates(notifyCa) }),
    },
  };
}

async function certificates(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw failure("cli/file", `${file} cannot be read: ${(cause as Error).message}`, {
      cause,
      detail: { file },
    });
  }
}
