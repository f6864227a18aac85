import { isModelName, type ModelName } from "@tributary/core";
import { TUF_ROLES, type TufRole } from "@tributary/tuf";
import type { RoleRecord } from "../ports/release-records.ts";

/**
 * Who signs what. The top-level targets hold the issuer alone, and delegate for each model to two roles: MODEL signs its channels,
 * releases and plans, by keys that an operator may keep elsewhere; MODEL-training signs the versions that rounds make, by a key that
 * is here, and nothing else. MODEL comes first in every search: what it signed for no training key can replace.
 */

/** The role that signs for a model's releases and plans. */
export function modelRole(model: ModelName): string {
  const isTaken = (TUF_ROLES as readonly string[]).includes(model) || model.endsWith("-training");
  // No model's name has a dot.
  return isTaken ? `model.${model}` : model;
}

/** The role that signs for the versions of a model's rounds. */
export function trainingRole(model: ModelName): string {
  return `${modelRole(model)}-training`;
}

export function isTopLevel(role: string): role is TufRole {
  return (TUF_ROLES as readonly string[]).includes(role);
}

/** Whether the coordinator signs for it at any time, so that its keys have to be here. */
export function isOnline({ role, model }: Pick<RoleRecord, "role" | "model">): boolean {
  if (model === null) return role === "snapshot" || role === "timestamp";
  return role === trainingRole(model);
}

/** Patterns of the paths that a delegated role is given: `*` does not cross a "/". */
export function pathsOf(role: string, model: ModelName): readonly string[] {
  const folder = `models/${model}`;
  return role === trainingRole(model)
    ? [`${folder}/versions/*/*`, `${folder}/controls/*/*`]
    : [`${folder}/*`, `${folder}/*/*`, `${folder}/*/*/*`, `${folder}/*/*/*/*`];
}

/** The model in whose folder a path lies. */
export function modelOfPath(path: string): ModelName | undefined {
  const [top, model] = path.split("/");
  return top === "models" && isModelName(model) ? model : undefined;
}

/** In the order of their priority: of each model the role of its releases first. */
export function inPriority(roles: Iterable<RoleRecord>): RoleRecord[] {
  return [...roles].sort((a, b) => {
    const [x, y] = [a, b].map(({ role, model }) => `${model} ${isOnline({ role, model }) ? 1 : 0}`) as [
      string,
      string,
    ];
    return x < y ? -1 : 1;
  });
}
