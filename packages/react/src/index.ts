export { useModel, type UsedModel, type UseModelOptions } from "./use-model.ts";
export { useParticipation, type UsedParticipation } from "./use-participation.ts";
