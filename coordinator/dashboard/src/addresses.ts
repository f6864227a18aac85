// Where things are shown. Pages link by these, so that an address is written in one place beside the list of pages.

const part = encodeURIComponent;

export const OVERVIEW = "/";
export const TASKS = "/tasks";
export const MODELS = "/models";
export const ROLLOUTS = "/rollouts";
export const FLEET = "/fleet";
export const AUDIT = "/audit";
export const ALERTS = "/alerts";
export const SEARCH = "/search";
export const COMPARE = "/compare";
export const NEW_TASK = "/tasks/new";
export const DRIFT = "/drift";
export const PRIVACY = "/privacy";
export const SETTINGS = "/settings";
/** Stands alone: the first account is made there. */
export const SETUP = "/setup";
/** Stands alone: `tributary login` opens it. */
export const COMMAND_LINE = "/sign-in/command-line";

/** @param of tasks by their names, versions as `digits@12` */
export function compareHref(of: readonly string[]): string {
  return `${COMPARE}?${new URLSearchParams(of.map((name) => ["of", name])).toString()}`;
}

export function taskHref(task: string): string {
  return `${TASKS}/${part(task)}`;
}

/** @param round its number within the task */
export function roundHref(task: string, round: number): string {
  return `${taskHref(task)}/rounds/${round}`;
}

export function modelHref(model: string): string {
  return `${MODELS}/${part(model)}`;
}

/** The model's page with a version chosen. */
export function versionHref(model: string, version: number): string {
  return `${modelHref(model)}?version=${version}`;
}

export function rolloutHref(model: string, rollout: string): string {
  return `${modelHref(model)}/rollouts/${part(rollout)}`;
}

export function deviceHref(device: string): string {
  return `${FLEET}/${part(device)}`;
}
