import "./dispose.ts";

export { abortable, delay, throwIfAborted, timeoutSignal, type TimeoutSignal } from "./abort.ts";
export {
  concatBytes,
  copyBytes,
  decodeBase64url,
  decodeHex,
  decodeUtf8,
  encodeBase64url,
  encodeHex,
  encodeUtf8,
  equalBytes,
} from "./bytes.ts";
export { systemClock, type Clock, type Timer } from "./clock.ts";
export { decode, decodePrefix, encode, type Codec, type CodecType } from "./codec/codec.ts";
export {
  choice,
  list,
  mapped,
  optional,
  struct,
  taggedUnion,
  type OptionalCodec,
  type StructType,
  type UnionType,
} from "./codec/composites.ts";
export { deviceId, modelName, modelVersion, populationName, roundId, taskName } from "./codec/id-codecs.ts";
export { bool, bytes, digest, f32, f64, fixedBytes, text, u16, u32, u53, u8 } from "./codec/primitives.ts";
export { ByteReader } from "./codec/reader.ts";
export { ByteWriter } from "./codec/writer.ts";
export { digestOf } from "./digest-of.ts";
export { createSha256, sha256, sha256Bytes, type Sha256 } from "./digest.ts";
export { systemEnv, type Env } from "./env.ts";
export { ERROR_CATALOG, isErrorCode, type ErrorCode, type ErrorSpec } from "./error-catalog.ts";
export { adviceOf, publicMessageOf, statusOf } from "./error-texts.ts";
export { fromWire, toWire, type WireError } from "./error-wire.ts";
export { fromProblem, PROBLEM_MEDIA_TYPE, problemType, toProblem, type Problem } from "./problem.ts";
export { failure, toFailure, TributaryError, type ErrorDetail, type FailureOptions } from "./errors.ts";
export {
  asDeviceId,
  asDigest,
  asModelName,
  asModelVersion,
  asPopulationName,
  asRoundId,
  asTaskName,
  isDeviceId,
  isDigest,
  isModelName,
  isModelVersion,
  isPopulationName,
  isRoundId,
  isTaskName,
  type DeviceId,
  type Digest,
  type ModelName,
  type ModelVersion,
  type PopulationName,
  type RoundId,
  type TaskName,
} from "./ids.ts";
export { consoleLogger } from "./console-logger.ts";
export { createLogger, type LogEntry, type LoggerOptions } from "./create-logger.ts";
export { silentLogger, type LogFields, type Logger, type LogLevel } from "./log.ts";
export { systemRandom, type SecureRandom } from "./secure-random.ts";
export { seededRandom, type SeededRandom } from "./seeded-random.ts";
export { LONE_SURROGATE, parseStrictJson, StrictJsonError, type StrictJson } from "./strict-json.ts";
