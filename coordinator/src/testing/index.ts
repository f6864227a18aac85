export { codeOf } from "./code-of.ts";
export { describeBlobStore, type BlobStoreFixture } from "./describe-blob-store.ts";
export { describeBus } from "./describe-bus.ts";
export {
  describeMetadataStore,
  type MetadataStoreFixture,
  type OpenMetadataStore,
} from "./describe-metadata-store.ts";
export { exampleRollout } from "./describe-stored-rollouts.ts";
export {
  exampleAudit,
  exampleBlob,
  exampleDevice,
  exampleLineage,
  exampleModel,
  exampleRelease,
  exampleRound,
  exampleTask,
  exampleVersion,
  exampleVersionState,
} from "./records.ts";
