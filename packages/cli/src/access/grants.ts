import type { AccessGrant } from "@tributary/api-client";
import { failure } from "@tributary/core";
import { ALL_MODELS, ROLES, type Role } from "@tributary/protocol";
import { type Command, Option } from "commander";

export interface GrantOptions {
  readonly role: readonly string[];
  readonly model: readonly string[];
}

/** Adds `--role` and `--model`. */
export function withGrantOptions(command: Command): Command {
  const collect = (text: string, before: readonly string[]): string[] => [...before, text];
  return command
    .addOption(
      new Option("--role <role>", `${ROLES.join(", ")}; or model=role, for one model; may be repeated`)
        .argParser(collect)
        .default([], "none"),
    )
    .addOption(
      new Option("--model <name>", "only this model, for the roles that name none; may be repeated")
        .argParser(collect)
        .default([], "all models"),
    );
}

/** @throws `cli/usage` */
export function grantsOf({ role: roles, model: models }: GrantOptions): AccessGrant[] {
  if (roles.length === 0) throw failure("cli/usage", `--role: name at least one of ${ROLES.join(", ")}`);
  const common = models.length === 0 ? [ALL_MODELS] : models;
  return roles.flatMap((text) => {
    const [, model, role = text] = /^([^=]+)=(.*)$/.exec(text) ?? [];
    if (!ROLES.includes(role as Role))
      throw failure("cli/usage", `--role: expected one of ${ROLES.join(", ")}, got "${role}"`);
    return (model === undefined ? common : [model]).map((each) => ({ model: each, role: role as Role }));
  });
}

/** "operator of digits, viewer of all models". */
export function grantsText(grants: readonly AccessGrant[]): string {
  return grants.length === 0
    ? "nothing"
    : grants.map(({ model, role }) => `${role} of ${model === ALL_MODELS ? "all models" : model}`).join(", ");
}
