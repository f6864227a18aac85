import type { DeviceId } from "@tributary/core";
import { SECURE_STEPS, type SecureStepName } from "@tributary/protocol";
import { majorityThreshold } from "@tributary/secagg";
import type { RoundDraft } from "./round-draft.ts";
import type { Participant, RoundInput, SecureClaim, SecureCohort, SecureTally } from "./round-types.ts";

// A secure cohort's steps, between the forming of the cohort and its sum. What a step needs, and whether an answer is
// good, is the driver's to say; here is who is asked, who is waited for, and when too few are left.

type Member = Extract<Participant, { readonly stage: "secure-member" }>;
type OpenCohort = SecureCohort & { readonly opened: NonNullable<SecureCohort["opened"]> };
type Input<Type extends RoundInput["type"]> = Extract<RoundInput, { readonly type: Type }>;

/** What a step that was closed means for the round. */
export type CohortProgress =
  | { readonly type: "goes-on" }
  /** Fewer are left than any honest member would go on with. */
  | { readonly type: "too-few" }
  | { readonly type: "unmasked"; readonly survivors: readonly DeviceId[] };

const GOES_ON: CohortProgress = { type: "goes-on" };

/** Fixes the cohort: the order of the list numbers its members. */
export function beginSecuring(
  draft: RoundDraft,
  roster: readonly (readonly [DeviceId, SecureClaim])[],
): void {
  const devices = roster.map(([device]) => device);
  draft.state = {
    ...draft.state,
    secure: {
      step: "advertise",
      cohort: devices.length,
      threshold: Math.max(draft.config.minimumCount, majorityThreshold(devices.length)),
      survivors: 0,
      lost: { advertise: 0, share: 0, mask: 0, sign: 0, unmask: 0 },
    },
  };
  for (const [member, [device, { commitment }]] of roster.entries()) {
    draft.put(device, { stage: "secure-member", connected: true, member, commitment, goneSince: null });
  }
  draft.count("cohort", devices.length);
  open(draft, "advertise", devices, { outstanding: new Set(devices), survivors: new Set() });
}

/** Closes the step under way when nobody is waited for any more. */
export function advanceSecuring(draft: RoundDraft): CohortProgress {
  const cohort = openCohortOf(draft);
  if (cohort === undefined) return GOES_ON;
  if (draft.waitedFor() > 0 && draft.now < cohort.opened.deadline) return GOES_ON;
  for (const device of cohort.outstanding) loseMember(draft, device, { tell: true });
  return close(draft, cohortOf(draft)!, draft.state.secure!);
}

/** The driver has what the step needs. */
export function secureOpened(draft: RoundDraft, { step, digests }: Input<"secure-opened">): void {
  const cohort = cohortOf(draft);
  if (cohort?.step !== step || cohort.opened !== null) return;
  const deadline = draft.now + draft.config.secure!.stepDeadlineMs;
  set(draft, { ...cohort, opened: { deadline, digests } });
  for (const device of cohort.outstanding) {
    const member = draft.get(device);
    if (member?.stage === "secure-member" && member.connected) sendStep(draft, device, member);
  }
}

/** Counts an answer once. */
export function secureAnswered(draft: RoundDraft, { device, step }: Input<"secure-answered">): void {
  const cohort = openCohortOf(draft);
  if (cohort?.step !== step || !cohort.outstanding.has(device)) return;
  set(draft, {
    ...cohort,
    outstanding: without(cohort.outstanding, device),
    answered: new Set(cohort.answered).add(device),
    survivors: step === "mask" ? new Set(cohort.survivors).add(device) : cohort.survivors,
  });
  if (step !== "mask") return;
  draft.count("reported");
  tally(draft, ({ survivors }) => ({ survivors: survivors + 1 }));
}

/** Asks a member again that may have missed it. */
export function sendStep(draft: RoundDraft, device: DeviceId, { member }: Member): void {
  const cohort = openCohortOf(draft);
  if (cohort === undefined || !cohort.outstanding.has(device)) return;
  const { step, opened } = cohort;
  const digest = opened.digests[member] ?? null;
  if (digest === null) return;
  draft.effect({ type: "secure-step", device, step, member, digest, deadlineMs: opened.deadline });
}

/** A member that takes no further part. What it has masked stays in the sum. */
export function loseMember(draft: RoundDraft, device: DeviceId, { tell }: { readonly tell: boolean }): void {
  const cohort = cohortOf(draft);
  const member = draft.get(device);
  if (cohort === undefined || member?.stage !== "secure-member") return;
  const { step } = cohort;
  tally(draft, ({ lost }) => ({ lost: { ...lost, [step]: lost[step] + 1 } }));
  set(draft, {
    ...cohort,
    outstanding: without(cohort.outstanding, device),
    answered: without(cohort.answered, device),
  });
  const { connected } = member;
  if (cohort.survivors.has(device)) return draft.put(device, { stage: "secured", connected });
  draft.count("dropouts");
  draft.put(device, { stage: "out", connected });
  if (!tell || !connected) return;
  const { roundId } = draft.config;
  draft.send(device, { type: "outcome", roundId, result: "late", code: "round/deadline-passed" });
}

function close(draft: RoundDraft, cohort: SecureCohort, { threshold }: SecureTally): CohortProgress {
  const { step, roster, answered, survivors } = cohort;
  if (leftAfter(cohort) < needed(step, roster.length, threshold)) return { type: "too-few" };
  const next = SECURE_STEPS[SECURE_STEPS.indexOf(step) + 1];
  if (next === undefined) {
    for (const device of survivors) {
      const { connected = false } = draft.get(device) ?? {};
      draft.put(device, { stage: "secured", connected });
    }
    return { type: "unmasked", survivors: roster.filter((device) => survivors.has(device)) };
  }
  open(draft, next, roster, { outstanding: answered, survivors });
  return GOES_ON;
}

/** A survivor that is gone is in the sum all the same. */
function leftAfter({ step, answered, survivors }: SecureCohort): number {
  return step === "mask" ? survivors.size : answered.size;
}

/** Signatures are counted against the whole cohort; how many shares are enough, the graph says, not the count. */
function needed(step: SecureStepName, members: number, threshold: number): number {
  if (step === "sign") return majorityThreshold(members);
  return step === "unmask" ? 1 : threshold;
}

function open(
  draft: RoundDraft,
  step: SecureStepName,
  roster: readonly DeviceId[],
  { outstanding, survivors }: Pick<SecureCohort, "outstanding" | "survivors">,
): void {
  tally(draft, () => ({ step }));
  draft.enter({
    phase: "securing",
    cohort: { step, roster, opened: null, outstanding, answered: new Set(), survivors },
  });
  const members = roster.map((device) => (outstanding.has(device) ? device : null));
  draft.effect({ type: "secure-open", step, members });
}

function cohortOf({ state }: RoundDraft): SecureCohort | undefined {
  return state.phase === "securing" ? state.cohort : undefined;
}

/** The cohort, once members have been given what the step needs. */
function openCohortOf(draft: RoundDraft): OpenCohort | undefined {
  const cohort = cohortOf(draft);
  return cohort?.opened === null ? undefined : (cohort as OpenCohort | undefined);
}

function set(draft: RoundDraft, cohort: SecureCohort): void {
  draft.enter({ phase: "securing", cohort });
}

function tally(draft: RoundDraft, change: (before: SecureTally) => Partial<SecureTally>): void {
  const { secure } = draft.state;
  if (secure !== null) draft.state = { ...draft.state, secure: { ...secure, ...change(secure) } };
}

function without(members: ReadonlySet<DeviceId>, device: DeviceId): ReadonlySet<DeviceId> {
  const left = new Set(members);
  left.delete(device);
  return left;
}
