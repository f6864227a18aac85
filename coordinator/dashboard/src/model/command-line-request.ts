import type { AccessGrant } from "@tributary/api-client";
import { ROLES } from "./access-words.ts";

/** What `tributary login` asks for, by the address that it opens. */
export interface CommandLineRequest {
  /** Where it runs, as it says itself. */
  readonly machine: string;
  /** For how many days, at most. */
  readonly days: number;
  /** Undefined: all roles of whoever allows it. */
  readonly grants: readonly AccessGrant[] | undefined;
  /** Of this computer, where it waits for the answer. */
  readonly port: number;
  readonly state: string;
  readonly challenge: string;
}

/** Reads an address that anybody may have written; undefined where it is none of `tributary login`. */
export function commandLineRequest(search: string): CommandLineRequest | undefined {
  const parameters = new URLSearchParams(search);
  const text = (name: string, form: RegExp): string | undefined => {
    const [value, ...more] = parameters.getAll(name);
    return value !== undefined && more.length === 0 && form.test(value) ? value : undefined;
  };
  const machine = text("machine", /^[^\p{C}/]{1,58}$/u);
  const days = Number(text("days", /^[1-9]\d{0,2}$/));
  const port = Number(text("port", /^[1-9]\d{0,4}$/));
  const state = text("state", /^[\w-]{43}$/);
  const challenge = text("challenge", /^[\w-]{43}$/);
  const roles = parameters.getAll("role").map(grantOf);
  if (
    machine === undefined ||
    !(days <= 365) ||
    !(port <= 65_535) ||
    state === undefined ||
    challenge === undefined ||
    !roles.every((role) => role !== undefined)
  )
    return undefined;
  return { machine, days, grants: roles.length === 0 ? undefined : roles, port, state, challenge };
}

/** `viewer@digits`; `viewer@*` of all models. */
function grantOf(text: string): AccessGrant | undefined {
  const at = text.indexOf("@");
  const role = ROLES.find((each) => each === text.slice(0, Math.max(at, 0)));
  const model = text.slice(at + 1);
  return role === undefined || model === "" ? undefined : { role, model };
}

/** Where the answer goes: to a port of this computer and nowhere else, whatever the address says. */
export function answerHref(
  { port, state }: Pick<CommandLineRequest, "port" | "state">,
  answer: { readonly code: string } | "refused",
): string {
  const said = answer === "refused" ? { error: "access_denied" } : { code: answer.code };
  return `http://127.0.0.1:${port}/?${new URLSearchParams({ ...said, state }).toString()}`;
}
