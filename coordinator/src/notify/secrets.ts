import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { failure } from "@tributary/core";
import type {
  NotificationChannel,
  NotificationTargetView,
  SecretInput,
  SecretView,
} from "@tributary/protocol";
import type { NotificationChannelRecord } from "../ports/alert-records.ts";

const MAX_SECRET_BYTES = 4_096;

/** Where secrets of notification channels are read. */
export interface SecretSources {
  /** A folder with a file for each; null: there is none. */
  readonly folder: string | null;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Takes what is secret out of a target: what is left may be shown. */
export function withoutSecrets(
  target: NotificationChannel["target"],
  before: NotificationChannelRecord | undefined,
): Pick<NotificationChannelRecord, "secrets"> & { readonly target: NotificationTargetView } {
  const secrets: Record<string, string> = {};
  const hidden = (field: string, given: SecretInput | null): SecretView | null => {
    if (given === null || "env" in given || "file" in given) return given;
    if ("value" in given) secrets[field] = given.value;
    else {
      const stored = before?.channel.target.kind === target.kind ? before.secrets[field] : undefined;
      if (stored === undefined)
        throw failure("protocol/invalid-document", `notify: /target/${field}: nothing is stored`, {
          detail: {
            document: "notification channel",
            path: `/target/${field}`,
            problem: "nothing is stored; give a value, or where it is read",
          },
        });
      secrets[field] = stored;
    }
    return { stored: true };
  };
  switch (target.kind) {
    case "webhook": {
      const url = hidden("url", target.url)!;
      return { target: { ...target, url, secret: hidden("secret", target.secret) }, secrets };
    }
    case "slack":
      return { target: { ...target, url: hidden("url", target.url)! }, secrets };
    case "email":
      return { target: { ...target, password: hidden("password", target.password) }, secrets };
  }
}

/**
 * Reads a secret.
 *
 * @throws `notify/secret-missing`, which names where it was looked for and never what was there
 */
export async function readSecret(
  field: string,
  view: SecretView,
  { secrets }: Pick<NotificationChannelRecord, "secrets">,
  { folder, environment }: SecretSources,
): Promise<string> {
  const missing = (what: string): Error =>
    failure("notify/secret-missing", `notify: the ${field} is to be read from ${what}, and is not there`, {
      detail: { field },
    });
  if ("env" in view) {
    const value = environment[view.env]?.trim();
    if (value === undefined || value === "") throw missing(`the variable ${view.env}`);
    return value;
  }
  if ("file" in view) {
    if (folder === null) throw missing(`the file ${view.file}; --notify-secrets names no folder`);
    try {
      const bytes = await readFile(join(folder, view.file));
      const text = bytes.length > MAX_SECRET_BYTES ? "" : bytes.toString("utf8").trim();
      if (text !== "") return text;
    } catch {
      // Said below, without what the system says of the file.
    }
    throw missing(`the file ${view.file}`);
  }
  const stored = secrets[field];
  if (stored === undefined) throw missing("the database");
  return stored;
}
