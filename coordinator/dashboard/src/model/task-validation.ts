import { publicMessageOf, TributaryError } from "@tributary/api-client";
import { fieldAt, type TaskDraft } from "./task-draft.ts";

export interface Validation {
  /** unknown: whoever looks may not ask, or the coordinator does not answer. */
  readonly state: "empty" | "checking" | "valid" | "wrong" | "unknown";
  readonly problems: Readonly<Partial<Record<keyof TaskDraft, string>>>;
  /** What is wrong with no field that a step has. */
  readonly other: string | undefined;
}

const NONE = Object.freeze({});

/** Nothing is wrong, as far as is known. */
export const nothingWrong = (state: Exclude<Validation["state"], "wrong">): Validation => ({
  state,
  problems: NONE,
  other: undefined,
});

/** What the coordinator refused, at the field it refused. */
export function validationOf(error: unknown): Validation {
  if (!TributaryError.is(error) || error.code.startsWith("identity/") || error.code.startsWith("transport/"))
    return nothingWrong("unknown");
  const { path, problem } = error.detail;
  const said = typeof problem === "string" ? problem : publicMessageOf(error);
  const field = typeof path === "string" ? fieldAt(path) : NAMED[error.code];
  return field === undefined
    ? { state: "wrong", problems: NONE, other: typeof path === "string" ? `${path} ${said}` : said }
    : { state: "wrong", problems: { [field]: said }, other: undefined };
}

/** Of what has no path. */
const NAMED: Readonly<Partial<Record<string, keyof TaskDraft>>> = {
  "coordinator/task-exists": "name",
  "coordinator/unknown-model": "model",
};
