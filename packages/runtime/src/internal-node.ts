// For sibling packages only; not covered by semantic versioning.
export { removeOwnLock } from "./node/data-dir-lock.ts";
export { openFileStore, type FileStoreOptions } from "./node/file-store.ts";
export { openWsSocket } from "./node/ws-socket.ts";
export { giveExamples } from "./node/give-examples.ts";
export { MAX_EXAMPLES } from "./store/device-store.ts";
export { updateBody, type UpdateBody } from "./learner/update-body.ts";
export {
  openControlVariates,
  type ControlVariates,
  type Settlement,
} from "./participation/control-variates.ts";
export { measureExamples } from "./participation/measure-examples.ts";
export { createMetricMember, createSecureMember, type SecureMember } from "./participation/secure-member.ts";
