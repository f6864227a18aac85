import {
  decode,
  decodeHex,
  encode,
  encodeHex,
  failure,
  type Codec,
  type Digest,
  type Env,
} from "@tributary/core";
import { toMetricSegments, toSecureSegments, type TrainingTotals } from "@tributary/federation";
import {
  measuredWeights,
  updateSchema,
  type MeasurementOffer,
  type MetricDocument,
  type RoundOffer,
  type SecurePlan,
  type SecureStepName,
  type UpdateLayout,
  type VerifyMember,
} from "@tributary/protocol";
import {
  Advertisement,
  CohortList,
  cohortShape,
  DEFAULT_MINIMUM_COHORT,
  encodeContribution,
  KeyList,
  MaskedInput,
  planEncoding,
  SecAggClient,
  ShareBundle,
  ShareInbox,
  SignatureList,
  Survivors,
  SurvivorSignature,
  UnmaskShares,
  type CohortAssumptions,
  type EncodingPlan,
  type SecAggCrypto,
  type SpendableVector,
} from "@tributary/secagg";
import { clampInto, clipNormInto, parameterCount } from "@tributary/tensor";
import type { Identity } from "../identity.ts";
import type { LogView } from "./log-view.ts";

interface MemberOptions {
  readonly offer: RoundOffer & Pick<MeasurementOffer, "candidate">;
  /** Of the verified plan. */
  readonly plan: SecurePlan;
  readonly population: string;
  readonly identity: Pick<Identity, "sign">;
  readonly certificate: Uint8Array;
  /** Whether the members of a cohort were admitted in the open. */
  readonly log: Pick<LogView, "requireMembers">;
  /** Whether someone is a member. */
  readonly verifyMember: VerifyMember;
  /** The device's own floor. */
  readonly minimumCohort: number;
  readonly crypto: SecAggCrypto;
  readonly env: Env;
  /** Called before anything enters a masked vector; a rejection keeps it. */
  readonly beforeSpending: () => Promise<void>;
}

export interface SecureMemberOptions extends MemberOptions {
  /** What the update holds. */
  readonly layout: UpdateLayout;
  /** Of the weights. */
  readonly maxUpdateNorm: number;
  /** trained - base. It is overwritten. */
  readonly update: Float32Array<ArrayBuffer>;
  readonly totals: TrainingTotals;
}

export interface MetricMemberOptions extends MemberOptions {
  /** Of the plan, whose encoding was checked to be of them. */
  readonly metrics: readonly MetricDocument[];
  /** Within the bounds of the metrics. */
  readonly vector: Float64Array<ArrayBuffer>;
}

/** A cohort that passed this device's checks. */
export interface CheckedCohort {
  readonly members: number;
  /** Whether no sum of it can be over fewer than 16 members. */
  readonly private: boolean;
}

/** This device in one secure cohort: its secrets and its update, which leaves masked and once. */
export interface SecureMember {
  /** Of the nonce; for `secure-ready`. */
  readonly commitment: Digest;
  readonly certificate: Uint8Array;
  /** Known once `advertise` was answered. */
  readonly cohort: CheckedCohort | undefined;
  /** A step's answer, if it was made. */
  answerTo(step: SecureStepName): Promise<Uint8Array<ArrayBuffer>> | undefined;
  /**
   * Checks what the coordinator gave for a step and makes the answer. The same step again gives the same answer; any
   * check that fails ends the session.
   *
   * @throws `secagg/*`, `codec/*`
   */
  answer(step: SecureStepName, input: Uint8Array): Promise<Uint8Array<ArrayBuffer>>;
  /** Overwrites update and secrets. Idempotent. */
  close(): void;
}

/**
 * Clips and encodes a finished update and begins a session for it.
 *
 * @throws `federation/plan-refused`, `secagg/*`
 */
export async function createSecureMember(options: SecureMemberOptions): Promise<SecureMember> {
  const { plan, layout, update, totals, env } = options;
  const encoding = planEncoding(plan.encoding);
  const weightCount = parameterCount(updateSchema(layout, "weight"));
  const [first, second] = encoding.segments;
  const statistics = second?.segment.codec === "state" ? second.count : 0;
  if (
    first?.segment.codec !== "update" ||
    first.count !== weightCount ||
    statistics !== update.length - weightCount
  ) {
    throw failure(
      "federation/plan-refused",
      `secure: the plan encodes ${first?.count ?? 0} weights and ${statistics} statistics, an update has ${weightCount} and ${update.length - weightCount}`,
    );
  }
  clipNormInto(update.subarray(0, weightCount), options.maxUpdateNorm);
  clampInto(update.subarray(weightCount), layout.maxStatisticChange);
  const values = toSecureSegments(update, weightCount, totals);
  const { vector } = encodeContribution(encoding, { weight: totals.examples, values }, env.random);
  update.fill(0);
  return openMember(options, encoding, vector);
}

/**
 * Begins a session for a vector of measurements.
 *
 * @throws `secagg/*`
 */
export function createMetricMember(options: MetricMemberOptions): SecureMember {
  const { plan, metrics, env } = options;
  const encoding = planEncoding(plan.encoding);
  const values = toMetricSegments(metrics, encoding.spec.segments, options.vector);
  const { vector } = encodeContribution(encoding, { weight: 1, values }, env.random);
  return openMember(options, encoding, vector);
}

/** A session for a vector that leaves masked and once. */
function openMember(options: MemberOptions, encoding: EncodingPlan, vector: SpendableVector): SecureMember {
  const { offer, plan, certificate, env, minimumCohort } = options;
  const assumptions: CohortAssumptions = {
    corruption: plan.corruption,
    dropout: plan.dropout,
    adversary: "curious",
  };
  const issuerPublicKey = decodeHex(plan.issuerPublicKey);
  const client = new SecAggClient({
    binding: {
      task: offer.task,
      round: offer.roundId,
      plan: offer.planDigest,
      baseWeights: measuredWeights(offer.weightsDigest, offer.candidate?.weightsDigest),
      encoding: encoding.digest,
    },
    encoding,
    assumptions,
    minimumCohort,
    taskMinimumCohort: plan.minimumCohort,
    certificate,
    sign: (message) => options.identity.sign(new Uint8Array(message)),
    verifyCertificate: (other) =>
      options.verifyMember(other, {
        issuerPublicKey,
        population: options.population,
        nowMs: env.clock.now(),
      }),
    random: env.random,
    crypto: options.crypto,
  });

  const floor = Math.max(minimumCohort, plan.minimumCohort);
  let cohort: CheckedCohort | undefined;
  /** Whether the session has seen the cohort; a way to the log that failed before may be tried again. */
  let begun = false;
  const advertise = async (list: CohortList): Promise<Advertisement> => {
    // Before the nonce leaves: a member that no log knows may have been invented for this cohort.
    const certificates = list.members.map((member) => member.certificate);
    await options.log.requireMembers(list.membershipProof, certificates);
    begun = true;
    const advertisement = await client.advertise(list);
    const members = list.members.length;
    const least = Math.max(floor, cohortShape(members, assumptions).signatureThreshold);
    cohort = { members, private: least >= DEFAULT_MINIMUM_COHORT };
    return advertisement;
  };
  const steps: {
    readonly [Step in SecureStepName]: (input: Uint8Array) => Promise<Uint8Array<ArrayBuffer>>;
  } = {
    advertise: stepOf(CohortList, Advertisement, advertise),
    share: stepOf(KeyList, ShareBundle, (keys) => client.shareKeys(keys)),
    mask: stepOf(ShareInbox, MaskedInput, (inbox) => spend(client, inbox, vector, options.beforeSpending)),
    sign: stepOf(Survivors, SurvivorSignature, (survivors) => client.signSurvivors(survivors)),
    unmask: stepOf(SignatureList, UnmaskShares, (signatures) => client.unmask(signatures)),
  };
  const answers = new Map<SecureStepName, Promise<Uint8Array<ArrayBuffer>>>();
  return {
    commitment: encodeHex(client.commitment) as Digest,
    certificate,
    get cohort() {
      return cohort;
    },
    answerTo: (step) => answers.get(step),
    answer(step, input) {
      const known = answers.get(step);
      if (known !== undefined) return known;
      const answer = steps[step](input);
      answers.set(step, answer);
      answer.catch(() => {
        if (!begun) answers.delete(step);
      });
      return answer;
    },
    close() {
      client.close();
      vector.erase();
      answers.clear();
    },
  };
}

async function spend(
  client: SecAggClient,
  inbox: ShareInbox,
  vector: SpendableVector,
  before: () => Promise<void>,
): Promise<MaskedInput> {
  await before();
  return client.maskInput(inbox, vector);
}

function stepOf<Input, Answer>(
  input: Codec<Input>,
  answer: Codec<Answer>,
  run: (input: Input) => Promise<Answer>,
): (bytes: Uint8Array) => Promise<Uint8Array<ArrayBuffer>> {
  return async (bytes) => encode(answer, await run(decode(input, bytes)));
}
