export { applyDelta, patchFile } from "./delta/apply-delta.ts";
export { encodeDelta, type DeltaRegion } from "./delta/encode-delta.ts";
export {
  applyQuantizedStep,
  quantizeStep,
  stepChannels,
  type QuantizedStep,
  type StepPrecision,
} from "./delta/quantized-step.ts";
export { safetensorsRegions } from "./delta/safetensors-regions.ts";
export {
  allocate,
  elementBytes,
  holds,
  isDType,
  viewOf,
  type DataOf,
  type DType,
  type TensorData,
} from "./dtype.ts";
export {
  checkSchema,
  parameterCount,
  parameterSet,
  parameterSlot,
  parameterView,
  requireSameSchema,
  sameSchema,
  SCHEMA_LIMITS,
  type ParameterSchema,
  type ParameterSet,
  type ParameterSpec,
} from "./parameter-set.ts";
export { schemaDigest } from "./schema-digest.ts";
export { dequantizePerChannel, quantizePerChannel, type QuantizedChannels } from "./quantize.ts";
export {
  dequantizeParameters,
  QUANTIZATION_SCHEME,
  quantizedChannels,
  writeQuantizedParameters,
} from "./quantized-parameters.ts";
export {
  parametersFromSafetensors,
  parametersToSafetensors,
  readSafetensors,
  writeSafetensors,
  type SafetensorsFile,
} from "./safetensors.ts";
export { SAFETENSORS_LIMITS } from "./safetensors-header.ts";
export { elementCount, MAX_RANK, sameShape, tensor, withDType, type Tensor } from "./tensor.ts";
export {
  add,
  addInto,
  allFinite,
  argMax,
  axpyInto,
  clampInto,
  clipNormInto,
  dot,
  l2Norm,
  maxAbs,
  scale,
  scaleInto,
  squaredNorm,
  subtract,
  type Vector,
} from "./vector-math.ts";
