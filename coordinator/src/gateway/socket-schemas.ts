import {
  DeviceIdSchema,
  DigestSchema,
  INELIGIBLE_REASONS,
  LIMITS,
  ModelNameSchema,
  RoundIdSchema,
  SECURE_STEPS,
  TaskNameSchema,
  TargetPathSchema,
  type DeviceMessage,
  type ServerMessage,
} from "@tributary/protocol";
import Type, { type Static, type TObject, type TProperties, type TSchema } from "typebox";

// What the messages of the device socket hold, as JSON Schema. The frames are binary (SPEC.md); their codecs are in every device, and
// so tell nothing of themselves. A test generates values from these and has the codecs write and read them.

const integer = (bits: number, description?: string) =>
  Type.Integer({ minimum: 0, maximum: 2 ** bits - 1, ...(description !== undefined && { description }) });
const u16 = (description?: string) => integer(16, description);
const u32 = (description?: string) => integer(32, description);
const u53 = (description?: string) => integer(53, description);
const time = (description: string) => u53(`${description}; milliseconds since 1970, on the server's clock`);
const bytes = (options: { min?: number; max: number; description: string }) =>
  Type.Unsafe<Uint8Array>({
    type: "string",
    contentEncoding: "base64url",
    description: options.description,
    "x-minBytes": options.min ?? 0,
    "x-maxBytes": options.max,
  });
const text = (maxBytes: number, description: string) =>
  Type.String({ maxLength: maxBytes, description: `${description}; at most ${maxBytes} bytes of UTF-8` });
const Version = Type.Unsafe<never>(
  Type.Integer({ minimum: 1, maximum: 2 ** 32 - 1, description: "Of a model" }),
);
const Channel = Type.String({ pattern: "^[a-z0-9][a-z0-9-]{0,31}$", description: "A channel of a model" });
const Code = Type.String({
  pattern: "^[a-z]{1,20}/[a-z0-9-]{1,40}$",
  description: "Of the error catalogue: GET /problems/CODE",
});
const one = <const Values extends readonly string[]>(values: Values, description: string) =>
  Type.Unsafe<Values[number]>({ type: "string", enum: [...values], description });

/** What every offer of a round says. */
const OFFER = {
  task: TaskNameSchema,
  roundId: RoundIdSchema,
  round: u32("Number of the round within its task, from 1"),
  baseVersion: Version,
  planTarget: TargetPathSchema,
  planDigest: DigestSchema,
  weightsTarget: TargetPathSchema,
  weightsDigest: DigestSchema,
  trainDeadlineMs: time("`ready` after this is late"),
  timestampVersion: u32("The device needs TUF metadata at least this new"),
};

/** A coordinator's, by type. */
export const SERVER_MESSAGES = {
  challenge: message("First message of a connection: prove who you are, in one of these versions", {
    nonce: bytes({ min: 32, max: 32, description: "32 random bytes, used once" }),
    minVersion: u16(),
    maxVersion: u16(),
    serverTimeMs: time("Now"),
  }),
  welcome: message("The hello was good; the connection is a session now", {
    version: u16("Of the protocol"),
    deviceId: DeviceIdSchema,
    heartbeatIntervalMs: u32("Say something at least so often"),
    sessionId: text(64, "Names this session in both sides' logs"),
  }),
  refusal: message("What was asked for, or the connection itself, is refused. Sent before every close", {
    code: Code,
    message: text(LIMITS.maxMessageBytes, "For people"),
    detail: Type.Array(
      Type.Object({ key: text(64, "Name"), value: text(256, "Value") }, { additionalProperties: false }),
      { maxItems: LIMITS.maxDetailEntries },
    ),
    retryAfterMs: Type.Optional(u32("When to try again; absent: not at all with the same request")),
  }),
  offer: message("Train this plan from these weights and say `ready`, or `decline`", {
    ...OFFER,
    trainingRound: u32("Which step of the task begins at the base version, from 1"),
    control: Type.Optional(
      Type.Object(
        { target: TargetPathSchema, digest: DigestSchema },
        { additionalProperties: false, description: "With control variates: the coordinator's" },
      ),
    ),
  }),
  "offer-measurement": message("Measure by this plan and say `ready`, or `decline`", {
    ...OFFER,
    candidate: Type.Optional(
      Type.Object(
        { version: Version, weightsTarget: TargetPathSchema, weightsDigest: DigestSchema },
        { additionalProperties: false, description: "To be measured on the same examples" },
      ),
    ),
  }),
  "request-report": message("The device is in the cohort: upload the update it named in `ready`", {
    roundId: RoundIdSchema,
    deadlineMs: time("After this it is late"),
    uploadPath: text(256, "Of the PUT on the coordinator's origin"),
  }),
  "secure-step": message(
    "The device is a member of a secure cohort: get what the step needs, and put the answer",
    {
      roundId: RoundIdSchema,
      step: one(SECURE_STEPS, "Of secure aggregation"),
      member: u16("The device's place in the cohort list"),
      digest: DigestSchema,
      deadlineMs: time("After this the answer is late"),
      capability: bytes({ min: 32, max: 32, description: "Lets this member get and put this step's bytes" }),
    },
  ),
  outcome: message("The round is over for this device; it may discard its update", {
    roundId: RoundIdSchema,
    result: one(
      ["committed", "abandoned", "not-needed", "late", "refused", "buffered", "superseded"],
      "How it ended for this device",
    ),
    version: Type.Optional(Version),
    code: Type.Optional(Code),
  }),
  release: message("A version was released on a channel that this device subscribes to", {
    model: ModelNameSchema,
    channel: Channel,
    version: Version,
    timestampVersion: u32("TUF metadata at least this new has it"),
  }),
  wait: message("Nothing to train now: say `check-in` again later", {
    task: TaskNameSchema,
    retryAfterMs: u32("Not before"),
    windowMs: u32("At a moment of the device's own choice within this"),
  }),
  "heartbeat-ack": message("Answer to a heartbeat", { nonce: u32("The heartbeat's") }),
} as const satisfies Described<ServerMessage>;

/** A device's, by type. */
export const DEVICE_MESSAGES = {
  hello: message("Answer to the challenge: who the device is, proved by its key", {
    version: u16("Chosen from the challenge's range"),
    certificate: bytes({ max: LIMITS.maxCertificateBytes, description: "As issued at enrolment" }),
    signature: bytes({
      min: 64,
      max: 64,
      description: "Ed25519 over the challenge's nonce and the certificate",
    }),
    software: text(LIMITS.maxSoftwareBytes, "Name and version of the device's software"),
  }),
  subscribe: message("Tell this connection about releases of a model", {
    model: ModelNameSchema,
    channel: Channel,
    runningVersion: Type.Optional(Version),
  }),
  "check-in": message("The device is willing to train for a task", {
    task: TaskNameSchema,
    examples: u32("It could train on"),
  }),
  leave: message("The device no longer takes part in a task", { task: TaskNameSchema }),
  ready: message("Training is done; this is the update that the device would upload", {
    roundId: RoundIdSchema,
    numExamples: u32("Trained on: the update's weight"),
    updateDigest: DigestSchema,
    sizeBytes: u53("Of the whole upload"),
  }),
  "secure-ready": message("Training for a secure round is done; nothing of the update is told", {
    roundId: RoundIdSchema,
    commitment: DigestSchema,
    certificate: bytes({ max: LIMITS.maxCertificateBytes, description: "The device's own" }),
  }),
  decline: message("The device will not train this offer", { roundId: RoundIdSchema, code: Code }),
  running: message("The device runs a version now", {
    model: ModelNameSchema,
    version: Version,
    appliedAfterMs: u32("From the release message to the first run"),
  }),
  heartbeat: message("Sent when nothing else was sent for the heartbeat interval", { nonce: u32() }),
  ineligible: message("The device is willing and none of those that the task asks for now", {
    task: TaskNameSchema,
    reason: one(INELIGIBLE_REASONS, "Which rule; nothing of the device's own values"),
  }),
  "refused-version": message("A version was verified and did not take the place of the one that runs", {
    model: ModelNameSchema,
    version: Version,
    code: Code,
  }),
} as const satisfies Described<DeviceMessage>;

/** A schema for each type of message, with the fields of that message: a missing or an extra one does not compile. */
type Described<Message extends { readonly type: string }> = {
  readonly [T in Message["type"]]: TSchema & {
    readonly [fields]?: (
      field: Exclude<keyof Extract<Message, { readonly type: T }>, "type">,
    ) => Exclude<keyof Extract<Message, { readonly type: T }>, "type">;
  };
};
declare const fields: unique symbol;

function message<Properties extends TProperties>(description: string, properties: Properties) {
  return Type.Object(properties, { additionalProperties: false, description }) as TObject<Properties> & {
    readonly [fields]?: (field: keyof Static<TObject<Properties>>) => keyof Static<TObject<Properties>>;
  };
}
