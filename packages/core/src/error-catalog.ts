/** What is fixed about an error code; the message of one occurrence is not part of it. */
export interface ErrorSpec {
  /** HTTP status a server answers with. */
  readonly status: number;
  /** The text that leaves the process; never holds values of one occurrence. */
  readonly publicMessage: string;
  /** What the reader of a log can do about it. */
  readonly advice?: string;
}

/**
 * Every error code of the project, in one closed table, one section per area.
 * A code is never renamed or reused: peers of other versions know it.
 */
export const ERROR_CATALOG = {
  // core
  "core/internal": {
    status: 500,
    publicMessage: "Something went wrong inside; it was logged.",
  },
  "core/invalid-id": { status: 400, publicMessage: "An identifier is malformed." },
  "core/invalid-encoding": {
    status: 400,
    publicMessage: "Text is not valid hex, base64url or UTF-8.",
  },
  "core/timeout": { status: 504, publicMessage: "The operation took too long." },
  "core/closed": { status: 410, publicMessage: "The object was closed." },
  "core/unknown-remote-code": {
    status: 502,
    publicMessage: "The peer reported an error this version does not know.",
    advice: "Read detail.remoteCode; a newer version may know it.",
  },
  "core/unsupported-platform": {
    status: 501,
    publicMessage: "This platform lacks a feature that is needed.",
  },

  // codec
  "codec/truncated": { status: 400, publicMessage: "A binary message ends too early." },
  "codec/trailing-bytes": {
    status: 400,
    publicMessage: "A binary message is longer than its content.",
  },
  "codec/too-long": {
    status: 413,
    publicMessage: "A field of a binary message exceeds its maximum length.",
  },
  "codec/out-of-range": {
    status: 400,
    publicMessage: "A number of a binary message is outside its range.",
  },
  "codec/not-canonical": {
    status: 400,
    publicMessage: "A binary message is not in its one canonical form.",
  },
  "codec/invalid-text": { status: 400, publicMessage: "A text field is not valid UTF-8." },
  "codec/unknown-tag": {
    status: 400,
    publicMessage: "A binary message has a type this version does not know.",
    advice: "Compare the protocol versions of both sides.",
  },
  "codec/invalid-value": {
    status: 400,
    publicMessage: "A field of a binary message holds a value that is not allowed.",
  },

  // tensor
  "tensor/shape-mismatch": {
    status: 400,
    publicMessage: "A tensor has another shape than expected.",
  },
  "tensor/dtype-mismatch": {
    status: 400,
    publicMessage: "A tensor has another element type than expected.",
  },
  "tensor/missing": { status: 400, publicMessage: "A named tensor is missing." },
  "tensor/unexpected": {
    status: 400,
    publicMessage: "A tensor is present that the schema does not name.",
  },
  "tensor/schema-mismatch": {
    status: 400,
    publicMessage: "Two parameter sets have different schemas.",
  },
  "tensor/not-finite": { status: 422, publicMessage: "A tensor holds NaN or infinity." },
  "tensor/invalid-schema": {
    status: 400,
    publicMessage: "A parameter schema is malformed.",
  },
  "tensor/too-large": {
    status: 413,
    publicMessage: "A tensor or parameter set exceeds the size limit.",
  },
  "tensor/invalid-quantization": {
    status: 400,
    publicMessage: "Quantized values and their scales do not fit together.",
  },
  "tensor/invalid-delta": {
    status: 400,
    publicMessage: "A weight delta is malformed, or is for another file.",
    advice: "Download the whole file instead.",
  },

  // safetensors
  "safetensors/truncated": {
    status: 400,
    publicMessage: "The safetensors file ends too early.",
  },
  "safetensors/header-too-large": {
    status: 413,
    publicMessage: "The safetensors header exceeds the limit.",
  },
  "safetensors/invalid-header": {
    status: 400,
    publicMessage: "The safetensors header is malformed.",
  },
  "safetensors/duplicate-key": {
    status: 400,
    publicMessage: "The safetensors header names a key twice.",
  },
  "safetensors/unsupported-dtype": {
    status: 415,
    publicMessage: "The safetensors file holds an element type that is not supported.",
  },
  "safetensors/invalid-offsets": {
    status: 400,
    publicMessage: "The safetensors data offsets overlap, leave gaps or do not fit the shapes.",
  },
  "safetensors/too-many-tensors": {
    status: 413,
    publicMessage: "The safetensors file holds too many tensors.",
  },

  // onnx
  "onnx/invalid-model": { status: 400, publicMessage: "The ONNX model is malformed." },
  "onnx/truncated": { status: 400, publicMessage: "The ONNX file ends too early." },
  "onnx/too-large": { status: 413, publicMessage: "The ONNX model exceeds the limits." },
  "onnx/unsupported-opset": {
    status: 415,
    publicMessage: "The ONNX operator set version is not supported.",
  },
  "onnx/unsupported-operator": {
    status: 415,
    publicMessage: "The ONNX model uses an operator that is not supported.",
  },
  "onnx/unsupported-attribute": {
    status: 415,
    publicMessage: "The ONNX model uses an attribute value that is not supported.",
  },
  "onnx/unsupported-dtype": {
    status: 415,
    publicMessage: "The ONNX model uses an element type that is not supported.",
  },
  "onnx/unknown-shape": {
    status: 422,
    publicMessage: "A shape in the ONNX model cannot be determined.",
  },
  "onnx/shape-mismatch": {
    status: 422,
    publicMessage: "Shapes in the ONNX model do not fit together.",
  },
  "onnx/no-gradient": {
    status: 422,
    publicMessage: "The ONNX model has an operator without a gradient.",
  },
  "onnx/nothing-trainable": {
    status: 422,
    publicMessage: "The ONNX model has no trainable parameters.",
  },
  "onnx/unsupported-graph": {
    status: 422,
    publicMessage: "The ONNX model's inputs or outputs are not of a form that can be trained.",
  },
  "onnx/invalid-option": {
    status: 400,
    publicMessage: "A setting of a training graph is not allowed.",
    advice: "The message names the setting and what it may be.",
  },
  "onnx/needs-calibration": {
    status: 422,
    publicMessage: "Quantizing activations needs calibration examples.",
    advice:
      "`tributary publish` and `tributary quantize` take them as --calibration FILE or --histograms FILES.",
  },
  "onnx/external-data": {
    status: 415,
    publicMessage: "The ONNX model keeps data in other files, which cannot be read.",
  },

  // aggregation
  "aggregation/invalid-state": {
    status: 500,
    publicMessage: "The stored state of a strategy is not valid.",
    advice: "Restore the data directory from a backup, or start a new task from the current version.",
  },
  "aggregation/invalid-strategy": {
    status: 400,
    publicMessage: "The strategy does not exist, or a parameter of it is not valid.",
  },
  "aggregation/incompatible-strategy": {
    status: 400,
    publicMessage: "The strategy does not fit the rest of the task.",
  },

  // tuf
  "tuf/invalid-metadata": { status: 502, publicMessage: "Release metadata is malformed." },
  "tuf/not-canonical": {
    status: 502,
    publicMessage: "Release metadata cannot be written as canonical JSON.",
  },
  "tuf/too-large": {
    status: 502,
    publicMessage: "Release metadata exceeds the size limit.",
  },
  "tuf/threshold-not-met": {
    status: 502,
    publicMessage: "Release metadata lacks the signatures it needs.",
  },
  "tuf/wrong-version": {
    status: 502,
    publicMessage: "Release metadata has another version than announced.",
  },
  "tuf/rollback": {
    status: 502,
    publicMessage: "Release metadata is older than metadata seen before.",
  },
  "tuf/expired": { status: 502, publicMessage: "Release metadata has expired." },
  "tuf/hash-mismatch": {
    status: 502,
    publicMessage: "Release metadata does not match its announced hash.",
  },
  "tuf/missing-metadata": { status: 502, publicMessage: "Release metadata is missing." },
  "tuf/root-not-trusted": {
    status: 502,
    publicMessage: "The trust root is not the pinned one.",
  },
  "tuf/too-many-roots": { status: 502, publicMessage: "Too many root rotations at once." },
  "tuf/target-missing": {
    status: 404,
    publicMessage: "The release does not name this target.",
  },
  "tuf/target-mismatch": {
    status: 502,
    publicMessage: "A target does not match its signed length or hash.",
  },
  "tuf/unsupported-version": {
    status: 502,
    publicMessage: "Release metadata follows another major version of the specification.",
  },
  "tuf/invalid-key": { status: 500, publicMessage: "A signing key is malformed." },

  // protocol
  "protocol/invalid-message": { status: 400, publicMessage: "A message is malformed." },
  "protocol/unexpected-message": {
    status: 409,
    publicMessage: "A message came in a state that does not allow it.",
  },
  "protocol/client-too-old": {
    status: 426,
    publicMessage: "This client is too old for the server; update it.",
  },
  "protocol/server-too-old": {
    status: 426,
    publicMessage: "The server is too old for this client.",
  },
  "protocol/frame-too-large": {
    status: 413,
    publicMessage: "A frame exceeds the size limit.",
  },
  "protocol/text-frame": {
    status: 400,
    publicMessage: "Only binary frames are spoken here.",
  },
  "protocol/hello-timeout": { status: 408, publicMessage: "No hello came in time." },
  "protocol/idle-timeout": {
    status: 408,
    publicMessage: "The connection was silent for too long.",
  },
  "protocol/too-many-connections": {
    status: 503,
    publicMessage: "The server holds as many connections as it may.",
  },
  "protocol/too-many-messages": {
    status: 429,
    publicMessage: "Too many messages in a short time.",
  },
  "protocol/replaced": {
    status: 409,
    publicMessage: "A newer connection of the same device took over.",
  },
  "protocol/shutting-down": {
    status: 503,
    publicMessage: "The server is shutting down; come back soon.",
  },
  "protocol/invalid-document": {
    status: 400,
    publicMessage: "A manifest, plan or task document is malformed.",
  },
  "protocol/invalid-response": {
    status: 502,
    publicMessage: "The server's answer is malformed.",
  },

  // identity
  "identity/invalid-token": {
    status: 401,
    publicMessage: "The enrolment token is not valid.",
  },
  "identity/token-expired": {
    status: 401,
    publicMessage: "The enrolment token has expired; ask for a new one.",
  },
  "identity/token-used": {
    status: 409,
    publicMessage: "The enrolment token was already used by another device.",
  },
  "identity/wrong-population": {
    status: 403,
    publicMessage: "The token or certificate is for another population.",
  },
  "identity/invalid-proof": {
    status: 401,
    publicMessage: "The proof of the device key does not verify.",
  },
  "identity/invalid-certificate": {
    status: 401,
    publicMessage: "The device certificate is malformed or not ours.",
  },
  "identity/certificate-expired": {
    status: 401,
    publicMessage: "The device certificate has expired; enrol again.",
  },
  "identity/not-yet-valid": {
    status: 401,
    publicMessage: "The device certificate is not valid yet; check the clock.",
  },
  "identity/revoked": { status: 403, publicMessage: "The device was revoked." },
  "identity/unknown-device": {
    status: 404,
    publicMessage: "No device of this id is enrolled here.",
  },
  "identity/not-revoked": {
    status: 409,
    publicMessage: "The device is not revoked.",
  },
  "identity/device-mismatch": {
    status: 403,
    publicMessage: "The device id does not belong to the device key.",
  },
  "identity/not-authorized": {
    status: 401,
    publicMessage: "Nobody is signed in, or the operator's token is wrong.",
  },
  "identity/forbidden": {
    status: 403,
    publicMessage: "Your role does not allow this.",
    advice: "An admin of the coordinator gives roles, of one model or of all.",
  },
  "identity/token-makes-none": {
    status: 403,
    publicMessage: "A token makes no tokens.",
    advice:
      "Sign in: tributary login makes one for this machine, and the dashboard any other (Settings, Tokens).",
  },
  "identity/invalid-login-code": {
    status: 403,
    publicMessage: "The command line's code was used already, is too old, or is another's.",
    advice: "Run tributary login again.",
  },
  "identity/sign-in-failed": {
    status: 401,
    publicMessage: "The name or the password is wrong.",
  },
  "identity/unknown-account": { status: 404, publicMessage: "There is no such operator." },
  "identity/account-exists": { status: 409, publicMessage: "The name of the operator is taken." },
  "identity/csrf": {
    status: 403,
    publicMessage: "The request did not come from the page that signed in; load the page again.",
  },
  "identity/invalid-setup-code": {
    status: 403,
    publicMessage: "The setup link was used already, or is too old.",
    advice: "While there is no account, each start of the coordinator prints a new one.",
  },
  "identity/weak-password": {
    status: 422,
    publicMessage: "The password is not accepted.",
    advice: "detail.problem says why.",
  },
  "identity/provider-refused": {
    status: 502,
    publicMessage: "Signing in at the identity provider did not work out.",
    advice: "The coordinator's log says why.",
  },
  "identity/provider-unreachable": {
    status: 502,
    publicMessage: "The identity provider does not answer.",
    advice: "Try again later; the coordinator's log says what was asked.",
  },
  "identity/sign-in-expired": {
    status: 403,
    publicMessage: "The sign-in took too long, or was begun in another browser; begin again.",
  },
  "identity/no-role": {
    status: 403,
    publicMessage: "The identity provider knows you, but nothing here is open to you.",
    advice: "An admin adds a rule (--oidc-grant) that gives a role to your groups, or to you.",
  },
  "identity/enrolment-failed": {
    status: 502,
    publicMessage: "The device could not be enrolled.",
  },
  "identity/enrolment-closed": {
    status: 403,
    publicMessage: "Devices of this population enrol with a token of their app's backend.",
  },
  "identity/issued-elsewhere": {
    status: 403,
    publicMessage: "This coordinator issues no certificates; the app's backend does.",
  },
  "identity/not-logged": {
    status: 403,
    publicMessage: "A certificate is not in the certificate log.",
  },
  "identity/not-issued": {
    status: 403,
    publicMessage: "The issuer has no record of a certificate that its key signed.",
  },
  "identity/log-unsigned": {
    status: 502,
    publicMessage: "The head of the certificate log is not in the signed metadata.",
  },
  "identity/log-forked": {
    status: 502,
    publicMessage: "The certificate log does not continue the one that was seen before.",
  },
  "identity/log-shrunk": {
    status: 502,
    publicMessage: "The certificate log is shorter than the one that was seen before.",
  },

  // audit
  "audit/chain-broken": {
    status: 502,
    publicMessage: "Records of the audit log were removed, replaced or put in another order.",
  },
  "audit/cut-off": {
    status: 502,
    publicMessage: "The audit log ends before the head that was signed.",
  },
  "audit/forked": {
    status: 502,
    publicMessage: "The audit log is not the one whose head was signed.",
  },
  "audit/head-unsigned": {
    status: 502,
    publicMessage: "The head of the audit log is not in the signed metadata.",
  },
  "audit/record-edited": {
    status: 502,
    publicMessage: "A record of the audit log was edited.",
  },

  // federation
  "federation/invalid-transition": {
    status: 500,
    publicMessage: "A state machine got an input its state does not allow.",
  },
  "federation/no-consent": { status: 403, publicMessage: "Participation needs consent." },
  "federation/no-examples": {
    status: 422,
    publicMessage: "There are no labelled examples to train on.",
  },
  "federation/training-failed": { status: 500, publicMessage: "Local training failed." },
  "federation/training-diverged": {
    status: 422,
    publicMessage: "Local training gave values that are not finite.",
  },
  "federation/unknown-task": { status: 404, publicMessage: "There is no such task." },
  "federation/busy": {
    status: 409,
    publicMessage: "The device is busy with another round.",
  },
  "federation/update-lost": {
    status: 410,
    publicMessage: "The device no longer holds the update it announced.",
  },
  "federation/cancelled": {
    status: 409,
    publicMessage: "The work is not needed any more.",
  },
  "federation/plan-refused": {
    status: 422,
    publicMessage: "The plan does not pass the device's own limits.",
  },
  "federation/too-soon": {
    status: 409,
    publicMessage: "The device took part so recently that it sits this round out.",
  },
  "federation/ineligible": {
    status: 422,
    publicMessage: "The device is not one of those that the task asks now.",
  },
  "federation/quarantined": {
    status: 403,
    publicMessage: "The device stayed in cohorts whose sums failed; it takes no part until it is released.",
    advice: "An operator releases it: tributary task release TASK DEVICE.",
  },
  "federation/rollout-ended": {
    status: 409,
    publicMessage: "The rollout has ended.",
    advice: "Start another one: tributary rollout start MODEL.",
  },
  "federation/rollout-state": {
    status: 409,
    publicMessage: "The rollout's state does not allow that.",
    advice: "See where it stands: tributary rollout status MODEL.",
  },

  // secagg
  "secagg/out-of-order": {
    status: 409,
    publicMessage: "A step of secure aggregation came twice or out of order.",
  },
  "secagg/secret-spent": { status: 409, publicMessage: "A secret was used already." },
  "secagg/update-spent": {
    status: 409,
    publicMessage: "The update has entered a masked vector already; train anew.",
  },
  "secagg/required": {
    status: 422,
    publicMessage: "The task has opted out of secure aggregation, and the device takes part in no such task.",
    advice: "The app decides: trust.requireSecureAggregation.",
  },
  "secagg/cohort-too-small": {
    status: 422,
    publicMessage: "The cohort is smaller than the device allows.",
    advice: "Wait for more devices, or lower the app's trust.minimumCohort and say that it is not private.",
  },
  "secagg/below-threshold": {
    status: 409,
    publicMessage: "Too many members dropped out; no sum can come out.",
  },
  "secagg/invalid-cohort": {
    status: 422,
    publicMessage: "The list of a cohort's members is not valid.",
  },
  "secagg/invalid-certificate": {
    status: 422,
    publicMessage: "A member's certificate does not verify.",
  },
  "secagg/invalid-signature": {
    status: 422,
    publicMessage: "A member's signature does not verify.",
  },
  "secagg/invalid-key": {
    status: 422,
    publicMessage: "A member's session key is not valid, or not its own.",
  },
  "secagg/commitment-mismatch": {
    status: 422,
    publicMessage: "A member's nonce does not match its commitment.",
  },
  "secagg/unknown-member": {
    status: 422,
    publicMessage: "A message names someone who is not a member, or not at this stage.",
  },
  "secagg/repeated-member": {
    status: 422,
    publicMessage: "A message names a member twice.",
  },
  "secagg/wrong-session": {
    status: 409,
    publicMessage: "A message belongs to another session.",
  },
  "secagg/invalid-share": {
    status: 422,
    publicMessage: "A member's secret share is not valid.",
  },
  "secagg/inconsistent-survivors": {
    status: 422,
    publicMessage: "The lists of survivors and dropouts contradict each other or what was said before.",
  },
  "secagg/wrong-length": {
    status: 422,
    publicMessage: "A masked vector has another form than the encoding says.",
  },
  "secagg/already-uploaded": {
    status: 409,
    publicMessage: "The member has sent another masked vector already.",
  },
  "secagg/invalid-capability": {
    status: 403,
    publicMessage: "The capability does not open this step to this member.",
  },
  "secagg/contributed-enough": {
    status: 409,
    publicMessage: "The device has contributed to enough sums on this version.",
    advice: "It takes part again with the next version; trust.maxContributionsPerVersion sets how often.",
  },
  "secagg/phase-over": { status: 409, publicMessage: "The phase is over." },
  "secagg/infeasible-graph": {
    status: 422,
    publicMessage: "No neighbour graph meets these assumptions.",
    advice: "Lower the assumed corruption or dropout, or form larger cohorts.",
  },
  "secagg/ring-overflow": {
    status: 422,
    publicMessage: "A sum could exceed its ring.",
    advice: "Use fewer bits per value, a smaller maximum, or smaller cohorts.",
  },
  "secagg/value-out-of-range": {
    status: 422,
    publicMessage: "A value to aggregate is outside its declared range.",
  },

  // round
  "round/stale-round": { status: 409, publicMessage: "The round has moved on; rejoin." },
  "round/unknown-round": { status: 404, publicMessage: "There is no such round." },
  "round/full": {
    status: 409,
    publicMessage: "The round has enough devices; try the next.",
  },
  "round/too-few-ready": {
    status: 409,
    publicMessage: "Too few devices finished training in time.",
  },
  "round/too-few-reports": {
    status: 409,
    publicMessage: "Too few devices reported in time.",
  },
  "round/deadline-passed": { status: 409, publicMessage: "The deadline has passed." },
  "round/evaluation-failed": {
    status: 500,
    publicMessage: "The new version could not be evaluated.",
  },
  "round/gate-not-passed": {
    status: 409,
    publicMessage: "The new version did not pass the evaluation gate.",
  },
  "round/interrupted": {
    status: 409,
    publicMessage: "The coordinator restarted during the round.",
  },
  "round/base-replaced": {
    status: 409,
    publicMessage: "Another version was published during the round.",
  },
  "round/superseded": {
    status: 409,
    publicMessage: "No cohort was filled on this base version; train from the newest.",
  },
  "round/outside-schedule": {
    status: 409,
    publicMessage: "The task's schedule closed, or the task was done, before enough devices were there.",
  },
  "round/task-paused": { status: 409, publicMessage: "The task was paused." },
  "round/aggregation-failed": {
    status: 500,
    publicMessage: "The updates could not be aggregated.",
  },

  "round/secure-mismatch": {
    status: 409,
    publicMessage: "The round and the device disagree on whether updates are summed securely.",
  },
  "round/secure-sum-refused": {
    status: 422,
    publicMessage: "The cohort's sum is not one that honest members can have made; it was dropped.",
  },

  // update
  "update/not-invited": {
    status: 403,
    publicMessage: "This device was not asked to report in this round.",
  },
  "update/not-finite": { status: 422, publicMessage: "The update holds NaN or infinity." },
  "update/norm-too-large": {
    status: 422,
    publicMessage: "The update's norm exceeds the task's limit.",
  },
  "update/statistic-out-of-range": {
    status: 422,
    publicMessage: "A running statistic of the update changes by more than the task allows.",
  },
  "update/wrong-shape": {
    status: 422,
    publicMessage: "The update does not hold what the plan says.",
  },
  "update/digest-mismatch": {
    status: 422,
    publicMessage: "The update does not match its digest.",
  },
  "update/truncated": { status: 400, publicMessage: "The update ends too early." },
  "update/too-large": { status: 413, publicMessage: "The update exceeds the size limit." },
  "update/invalid-header": {
    status: 400,
    publicMessage: "The update's header is malformed.",
  },
  "update/mismatched-round": {
    status: 422,
    publicMessage: "The update was made for another round or task.",
  },
  "update/invalid-weight": {
    status: 422,
    publicMessage: "The update's number of examples is not allowed.",
  },
  "update/invalid-metrics": {
    status: 422,
    publicMessage: "The update's metrics are not in the task's form.",
  },
  "update/already-reported": {
    status: 409,
    publicMessage: "The device already reported another update in this round.",
  },

  // http
  "http/bad-request": { status: 400, publicMessage: "The request is malformed." },
  "http/unknown-field": {
    status: 400,
    publicMessage: "The request has a field that this coordinator does not know.",
    advice: "Check its spelling in GET /openapi.json; a newer coordinator may know it.",
  },
  "http/invalid-cursor": {
    status: 400,
    publicMessage: "The cursor is not one of this list.",
    advice: "Send next of the page before as it was, or begin again without a cursor.",
  },
  "http/not-found": { status: 404, publicMessage: "There is nothing here." },
  "http/method-not-allowed": {
    status: 405,
    publicMessage: "The method is not allowed here.",
  },
  "http/conflict": {
    status: 409,
    publicMessage: "The request conflicts with the present state.",
  },
  "http/precondition-failed": {
    status: 412,
    publicMessage: "What was to be changed is not what If-Match names any more.",
    advice: "Read it again, look whether the change still holds, and send it with the new ETag.",
  },
  "http/idempotency-mismatch": {
    status: 409,
    publicMessage: "The idempotency key belongs to another request.",
    advice: "Use a new key for each thing that is to be made, and the same one only to send the same again.",
  },
  "http/idempotency-busy": {
    status: 409,
    publicMessage: "The request with this idempotency key is still being done.",
    advice: "Send it again in a moment: the answer will be that of the first.",
  },
  "http/idempotency-unanswered": {
    status: 409,
    publicMessage: "The request with this idempotency key was done before, and its answer is not kept.",
    advice: "Look whether it did what it should; then use a new key if it has to be done again.",
  },
  "http/payload-too-large": {
    status: 413,
    publicMessage: "The request body exceeds the limit.",
  },
  "http/timeout": {
    status: 408,
    publicMessage: "The request took too long.",
    advice: "Send it again; where that takes too long too, something on the way holds it back.",
  },
  "http/headers-too-large": {
    status: 431,
    publicMessage: "The request's headers exceed the limit.",
  },
  "http/unsupported-media-type": {
    status: 415,
    publicMessage: "The content type is not supported.",
  },
  "http/range-not-satisfiable": {
    status: 416,
    publicMessage: "The requested range does not exist.",
  },
  "http/too-many-requests": {
    status: 429,
    publicMessage: "Too many requests; wait a moment.",
  },
  "http/unexpected-response": {
    status: 502,
    publicMessage: "The answer is not one of the API.",
    advice: "Check that the address is a coordinator's, and any proxy between.",
  },
  "http/bad-event": {
    status: 502,
    publicMessage: "The event stream cannot be read.",
    advice: "Update the client: the coordinator may be newer.",
  },
  "http/unavailable": { status: 503, publicMessage: "The server cannot answer just now." },
  "http/host-refused": {
    status: 421,
    publicMessage: "This server does not answer for that host name.",
    advice: "Add it with --allow-host.",
  },
  "http/origin-refused": {
    status: 403,
    publicMessage: "Requests from this origin are not allowed.",
  },

  // engine
  "engine/load-failed": {
    status: 500,
    publicMessage: "The engine could not load the model.",
  },
  "engine/run-failed": { status: 500, publicMessage: "The engine could not run the model." },
  "engine/device-lost": {
    status: 503,
    publicMessage: "The browser took the GPU away.",
  },
  "engine/unavailable": {
    status: 501,
    publicMessage: "No engine is available on this platform.",
  },
  "engine/unknown-input": { status: 400, publicMessage: "The model has no such input." },
  "engine/missing-input": {
    status: 400,
    publicMessage: "An input of the model was not given.",
  },
  "engine/unknown-output": { status: 400, publicMessage: "The model has no such output." },
  "engine/input-mismatch": {
    status: 400,
    publicMessage: "An input has the wrong type or shape.",
  },
  "engine/disagreement": {
    status: 500,
    publicMessage: "Two engines disagree on the same model; the safe one is used.",
  },
  "engine/unsupported-dtype": {
    status: 415,
    publicMessage: "The model has an input or output of an element type that is not supported.",
  },
  "engine/realm-taken": {
    status: 409,
    publicMessage: "This worker already runs an engine with other settings.",
    advice: "Open one engine per worker and share it.",
  },
  "engine/invalid-artifact": {
    status: 400,
    publicMessage: "The file is no TensorFlow.js model that can be run here.",
  },
  "engine/closed": { status: 410, publicMessage: "The engine or session was closed." },

  // runtime
  "runtime/insecure-context": {
    status: 400,
    publicMessage: "The page is not a secure context.",
    advice: "Serve the page over https, or from localhost.",
  },
  "runtime/unknown-model": {
    status: 404,
    publicMessage: "There is no such model in the release.",
  },
  "runtime/other-variant": {
    status: 409,
    publicMessage: "The model is open in another variant.",
    advice: "Close it first, or ask for the same variant everywhere.",
  },
  "runtime/not-explainable": {
    status: 422,
    publicMessage: "The answer cannot be explained so.",
  },
  "runtime/not-personalisable": {
    status: 422,
    publicMessage: "The model was published without what a device would personalise it by.",
    advice: "Publish a float model whose layers gradients reach, without --no-personalisation.",
  },
  "runtime/too-few-examples": {
    status: 422,
    publicMessage: "There are too few examples on this device to learn from.",
  },
  "runtime/offline": {
    status: 503,
    publicMessage: "The device is offline and holds no copy.",
  },
  "runtime/closed": { status: 410, publicMessage: "The runtime was closed." },
  "runtime/worker-lost": {
    status: 500,
    publicMessage: "The worker ended unexpectedly; it is started again.",
  },
  "runtime/overloaded": {
    status: 429,
    publicMessage: "Too many calls wait for their answers.",
    advice: "Wait for answers before more is asked, or raise maxQueued.",
  },
  "runtime/unsupported-image": {
    status: 415,
    publicMessage: "The image cannot be read here.",
  },
  "runtime/tokenizer-failed": {
    status: 400,
    publicMessage: "The text could not be read as tokens.",
    advice:
      "Pass a tokenizer of the name that the model's processing gives to createRuntime({ tokenizers }); it answers with whole numbers from 0.",
  },
  "runtime/invalid-example": {
    status: 400,
    publicMessage: "The example does not fit the model's input.",
  },
  "runtime/self-check-failed": {
    status: 500,
    publicMessage: "A version answers otherwise on this device than where it was published.",
    advice: "The version before goes on. Look at diagnose() for the engine, and report the model.",
  },
  "runtime/invalid-feedback": {
    status: 400,
    publicMessage: "The feedback is of no answer of the model, or names none of its classes.",
  },
  "runtime/incompatible-release": {
    status: 426,
    publicMessage: "The release needs a newer runtime.",
  },
  "runtime/too-old": {
    status: 426,
    publicMessage: "The version needs a newer runtime than the app was built with.",
    advice: "Build the app with a newer @tributary/runtime; the device keeps the version that it runs.",
  },
  "runtime/version-withdrawn": {
    status: 410,
    publicMessage: "The version was withdrawn, and the device may run no other.",
    advice: "Point the channel to a version that is good; devices go on to it by themselves.",
  },
  "runtime/version-crashed": {
    status: 500,
    publicMessage: "The version ended the process that it was started in.",
    advice:
      "The version before goes on, where there is one. Where there is none, open the model again to try once more; publish a version that does not.",
  },
  "runtime/part-unavailable": {
    status: 503,
    publicMessage: "A script of the runtime could not be loaded.",
    advice:
      "Serve all files of the build; after a deployment keep those of the last one for pages that are open.",
  },
  "runtime/participation-unavailable": {
    status: 409,
    publicMessage: "Participation needs a coordinator.",
  },
  "runtime/no-trust": { status: 400, publicMessage: "No trust root was given." },
  "runtime/locked": {
    status: 409,
    publicMessage: "Another tab or process holds the device's state.",
  },

  // store
  "store/unavailable": { status: 503, publicMessage: "The storage cannot be reached." },
  "store/quota-exceeded": {
    status: 507,
    publicMessage: "The storage is full.",
    advice:
      "Free some space. On a device: close models that are not needed, or raise maxStorageBytes; detail says how many bytes were needed.",
  },
  "store/corrupt": { status: 500, publicMessage: "Stored data does not match its digest." },
  "store/not-found": { status: 404, publicMessage: "There is no such object." },
  "store/conflict": {
    status: 409,
    publicMessage: "The stored object was changed by someone else.",
  },
  "store/too-large": { status: 413, publicMessage: "The object exceeds the size limit." },
  "store/not-erased": {
    status: 500,
    publicMessage: "Not everything that was to be erased is gone.",
    advice: "Close the other tabs of this site, and erase once more.",
  },
  "store/closed": { status: 503, publicMessage: "The storage was closed." },
  "store/digest-mismatch": {
    status: 422,
    publicMessage: "The bytes do not match their digest.",
  },
  "store/database-damaged": {
    status: 500,
    publicMessage: "The database is damaged.",
    advice:
      "Stop the coordinator, keep the folder, and restore a backup into a new one: tributary restore BACKUP --data-dir NEW.",
  },
  "store/newer-schema": {
    status: 500,
    publicMessage: "The stored data was written by a newer version.",
    advice: "Run the newer version, or use another data directory.",
  },

  // transport
  "transport/connect-failed": {
    status: 503,
    publicMessage: "The connection could not be made.",
  },
  "transport/closed": { status: 503, publicMessage: "The connection was closed." },
  "transport/backpressure": { status: 503, publicMessage: "The peer reads too slowly." },
  "transport/download-failed": { status: 503, publicMessage: "A download failed." },
  "transport/upload-failed": { status: 503, publicMessage: "An upload failed." },
  "transport/digest-mismatch": {
    status: 502,
    publicMessage: "Downloaded bytes do not match their digest.",
  },
  "transport/too-large": {
    status: 502,
    publicMessage: "A download exceeds its announced size.",
  },

  // coordinator
  "coordinator/invalid-config": {
    status: 500,
    publicMessage: "The coordinator's configuration is not valid.",
  },
  "coordinator/data-dir-in-use": {
    status: 500,
    publicMessage: "Another coordinator uses the data directory.",
  },
  "coordinator/data-dir-unusable": {
    status: 500,
    publicMessage: "The data directory cannot be used.",
    advice: "Check --data-dir, its permissions and the free space.",
  },
  "coordinator/data-dir-not-empty": {
    status: 500,
    publicMessage: "The data directory is not empty.",
    advice: "Move the folder away, or restore into another one with --data-dir; nothing is overwritten.",
  },
  "coordinator/backup-unusable": {
    status: 500,
    publicMessage: "The folder is no complete backup, or cannot take one.",
    advice: "Name a folder that `tributary backup` finished, or one that does not exist yet for --out.",
  },
  "coordinator/key-missing": {
    status: 500,
    publicMessage: "A key of the coordinator is missing.",
    advice: "Put the key file back from its backup; a new one would not be in the signed root.",
  },
  "coordinator/key-insecure": {
    status: 500,
    publicMessage: "A key file of the coordinator can be read by others.",
    advice: "Run chmod 600 on the file and chmod 700 on its folder; if others had access, rotate the key.",
  },
  "coordinator/key-corrupt": {
    status: 500,
    publicMessage: "A key file of the coordinator is damaged.",
    advice: "Put the key file back from its backup.",
  },
  "coordinator/key-mismatch": {
    status: 500,
    publicMessage: "A key of the coordinator is not the one its signed root names.",
    advice: "The database and the keys folder belong together; restore both from the same backup.",
  },
  "coordinator/unknown-role": { status: 404, publicMessage: "There is no such role of the release." },
  "coordinator/invalid-role-keys": {
    status: 422,
    publicMessage: "A role cannot be signed by such keys.",
    advice:
      "Give as many different keys as the threshold says; the coordinator's own roles need keys made there.",
  },
  "coordinator/nothing-to-sign": {
    status: 404,
    publicMessage: "The role waits for no signatures.",
    advice: "tributary keys list shows what waits.",
  },
  "coordinator/draft-outdated": {
    status: 409,
    publicMessage: "Something else waits for signatures by now.",
    advice: "Export it again, and have that signed.",
  },
  "coordinator/signature-invalid": {
    status: 422,
    publicMessage: "No new signature by a key of the role.",
    advice: "Sign the exported file with a key that tributary keys list shows for the role.",
  },
  "coordinator/unknown-model": { status: 404, publicMessage: "There is no such model." },
  "coordinator/unknown-version": {
    status: 404,
    publicMessage: "There is no such version.",
  },
  "coordinator/version-retired": {
    status: 409,
    publicMessage: "The version was retired: by the model's retention rule its files have left the release.",
    advice:
      "Publish it again, as a new version: tributary model export and import, where its files were kept.",
  },
  "coordinator/unknown-channel": { status: 404, publicMessage: "The model has no such channel." },
  "coordinator/unknown-alias": {
    status: 404,
    publicMessage: "No version of the model is called so.",
    advice: "tributary model aliases NAME shows what its versions are called.",
  },
  "coordinator/alias-fixed": {
    status: 409,
    publicMessage: "The coordinator itself says what is called so.",
    advice: "Choose another name; champion follows what is released on stable.",
  },
  "coordinator/too-many-aliases": {
    status: 409,
    publicMessage: "The model has too many aliases.",
    advice: "Remove one first: tributary model alias NAME ALIAS --remove.",
  },
  "coordinator/channel-fixed": {
    status: 409,
    publicMessage: "The channel stable cannot be removed.",
    advice: "Move it to another version instead: tributary model release NAME VERSION.",
  },
  "coordinator/too-many-channels": {
    status: 409,
    publicMessage: "The model has too many channels.",
    advice: "Remove one that no device asks for any more: tributary model remove-channel NAME CHANNEL.",
  },
  "coordinator/unknown-task": { status: 404, publicMessage: "There is no such task." },
  "coordinator/model-exists": { status: 409, publicMessage: "The model exists already." },
  "coordinator/task-exists": {
    status: 409,
    publicMessage: "A task of this name exists already.",
  },
  "coordinator/model-busy": {
    status: 409,
    publicMessage: "Another task is training this model.",
    advice: "Pause that task first: tributary task pause NAME.",
  },
  "coordinator/busy": {
    status: 503,
    publicMessage: "The coordinator has too much of this to do.",
    advice: "Ask again in a minute.",
  },
  "coordinator/task-running": {
    status: 409,
    publicMessage: "The task is running.",
    advice: "Pause it first, and wait until its round has ended: tributary task pause NAME.",
  },
  "coordinator/invalid-task": { status: 400, publicMessage: "The task is not valid." },
  "coordinator/unknown-estimate": { status: 404, publicMessage: "There is no such estimate." },
  "coordinator/estimate-unsupported": {
    status: 400,
    publicMessage: "A task like this is not simulated.",
    advice: "Only tasks that train ONNX models with a built-in loss are; start it with few rounds, and look.",
  },
  "coordinator/estimate-without-round": {
    status: 504,
    publicMessage: "No simulated round ended in time.",
    advice: "Raise budgetSeconds, or estimate with a smaller cohort.",
  },
  "coordinator/unknown-rollout": { status: 404, publicMessage: "There is no such rollout." },
  "coordinator/invalid-rollout": {
    status: 400,
    publicMessage: "The rollout does not fit the model's versions, or its name was used before.",
  },
  "coordinator/rollout-running": {
    status: 409,
    publicMessage: "A rollout of this channel is under way.",
    advice: "Let it end, or end it: tributary rollout promote, abort or rollback.",
  },
  "coordinator/no-rollout-evidence": {
    status: 422,
    publicMessage: "A gate of the rollout has nothing to decide by.",
    advice:
      "Let devices tell how they fare (createRuntime deviceHealth), or name a running telemetry task that measures it.",
  },
  "coordinator/version-withdrawn": {
    status: 409,
    publicMessage: "The version, or one that it grew out of, was withdrawn.",
    advice: "Publish or train another one from a version that was not.",
  },
  "coordinator/unknown-alert": { status: 404, publicMessage: "There is no such alert." },
  "coordinator/alert-ended": {
    status: 409,
    publicMessage: "The alert is not firing.",
    advice: "Only what fires is acknowledged; silence what is not to be told when it fires again.",
  },
  "coordinator/unknown-alert-rule": { status: 404, publicMessage: "There is no such alert rule." },
  "coordinator/alert-rule-unchanged": {
    status: 409,
    publicMessage: "The alert rule is built in and was not changed: there is nothing to remove.",
    advice: "To look by it no more, disable it: tributary alerts rules disable NAME.",
  },
  "coordinator/too-many-alert-rules": {
    status: 409,
    publicMessage: "There are as many alert rules as are kept.",
    advice: "Remove one first: tributary alerts rules remove NAME.",
  },
  "coordinator/unknown-silence": { status: 404, publicMessage: "There is no such silence." },
  "coordinator/unknown-notification-channel": {
    status: 404,
    publicMessage: "There is no such notification channel.",
  },
  "coordinator/too-many-notification-channels": {
    status: 409,
    publicMessage: "There are as many notification channels as are kept.",
    advice: "Remove one first: tributary notify channels remove NAME.",
  },
  "coordinator/unknown-policy": { status: 404, publicMessage: "There is no such policy." },
  "coordinator/too-many-policies": {
    status: 409,
    publicMessage: "There are as many policies as are kept.",
    advice: "Remove one first: tributary policy remove NAME.",
  },
  "coordinator/unknown-blob": { status: 404, publicMessage: "There is no such blob." },
  "coordinator/tls-unusable": {
    status: 500,
    publicMessage: "The server's certificate cannot be used.",
    advice: "Name the certificate chain with --tls-cert and its key with --tls-key, both as PEM.",
  },
  "coordinator/cannot-listen": {
    status: 500,
    publicMessage: "The address cannot be listened on.",
    advice: "Check --host and --port.",
  },
  "coordinator/port-in-use": { status: 500, publicMessage: "The port is in use." },
  "coordinator/tracker-unreachable": {
    status: 502,
    publicMessage: "The tracking server does not answer.",
    advice: "Check MLFLOW_TRACKING_URI; what it does not have yet is told when it answers.",
  },
  "coordinator/tracker-refused": {
    status: 502,
    publicMessage: "The tracking server refused what it was told.",
    advice:
      "detail.problem is its own code; check its token or user, and whether the experiment was deleted.",
  },

  // notify
  "notify/host-refused": {
    status: 403,
    publicMessage: "Notifications may not go to this host.",
    advice: "Whoever runs the coordinator allows hosts: --notify-host NAME.",
  },
  "notify/address-refused": {
    status: 403,
    publicMessage: "The host is not on the public internet, or is not reached by https.",
    advice: "Whoever runs the coordinator allows private addresses: --notify-private.",
  },
  "notify/unknown-host": { status: 502, publicMessage: "The host's name is not known." },
  "notify/secret-missing": {
    status: 409,
    publicMessage: "A secret of the channel is not where it is to be read.",
    advice: "Set the variable, or put the file into the folder of --notify-secrets.",
  },
  "notify/invalid-url": { status: 400, publicMessage: "What is to be the channel's URL is none." },
  "notify/not-delivered": {
    status: 502,
    publicMessage: "The notification was not taken; it is tried again.",
  },
  "notify/refused": { status: 502, publicMessage: "The receiver refused the notification." },
  // search
  "search/invalid-query": {
    status: 400,
    publicMessage: "The query cannot be read.",
    advice:
      "detail.column says where, detail.expected what stands there; GET /v1/search/fields lists the fields.",
  },

  // cli
  "cli/folder-exists": {
    status: 409,
    publicMessage: "The folder exists.",
    advice: "Name a folder that does not exist yet, or move that one away; nothing is overwritten.",
  },
  "cli/export-unsupported": {
    status: 400,
    publicMessage: "The model cannot be written in this format.",
    advice: "Choose another --format.",
  },
  "cli/invalid-export": {
    status: 422,
    publicMessage: "The folder is no exported version, or was changed since.",
    advice: "Export it again, or fetch it again from where it came from.",
  },
  "cli/nothing-to-reproduce": {
    status: 409,
    publicMessage: "How the version came about is not known there.",
  },
  "cli/no-version-before": {
    status: 409,
    publicMessage: "The channel had no earlier version to go back to.",
    advice: "Name one with --to; tributary versions lists them.",
  },
  "cli/estimate-ended": { status: 500, publicMessage: "The estimate did not come to a result." },
  "cli/declined": { status: 400, publicMessage: "Nothing was changed." },
  "cli/usage": { status: 400, publicMessage: "The command line is not valid." },
  "cli/unreachable": {
    status: 503,
    publicMessage: "The coordinator cannot be reached.",
    advice: "Is it running? Check --coordinator.",
  },
  "cli/port-in-use": { status: 500, publicMessage: "The port is in use." },
  "cli/file": { status: 400, publicMessage: "A file cannot be read or written." },
  "cli/build-failed": {
    status: 500,
    publicMessage: "The dashboard or the demo could not be built.",
  },
  "cli/not-logged-in": { status: 401, publicMessage: "No operator token was found." },
  "cli/login-refused": { status: 403, publicMessage: "Signing in was refused in the browser." },
  "cli/login-expired": { status: 401, publicMessage: "Nobody allowed it in the browser in time." },

  // dataset
  "dataset/not-found": { status: 404, publicMessage: "The data set was not found." },
  "dataset/invalid": { status: 400, publicMessage: "The data set is malformed." },
  "dataset/truncated": { status: 400, publicMessage: "A data set file ends too early." },
  "dataset/too-large": {
    status: 413,
    publicMessage: "A data set file exceeds the size limit.",
  },
  "dataset/mismatch": {
    status: 400,
    publicMessage: "Images and labels of the data set do not fit together.",
  },

  // simulator
  "simulator/invalid-options": {
    status: 400,
    publicMessage: "The simulation cannot be run with these options.",
  },
  "simulator/invalid-partition": {
    status: 400,
    publicMessage: "The data set cannot be divided among the clients in this way.",
  },
  "simulator/stalled": {
    status: 500,
    publicMessage: "The simulated rounds do not come to an end.",
    advice:
      "Too few simulated devices are ever ready: lower the cohort of the task, or let more devices be reachable.",
  },
} as const satisfies Record<`${string}/${string}`, ErrorSpec>;

/** One of the codes of the catalogue. */
export type ErrorCode = keyof typeof ERROR_CATALOG;

/** Whether a text, for example from a peer, is a code this version knows. */
export function isErrorCode(value: string): value is ErrorCode {
  return Object.hasOwn(ERROR_CATALOG, value);
}
