import { expect, test } from "vitest";
import { operationIdOf } from "../../../src/http/api-document/operation-id.ts";

test.each([
  ["get", "/v1/models", "getModels"],
  ["get", "/v1/models/{model}", "getModel"],
  ["get", "/v1/models/{model}/versions/{version}/card.md", "getModelVersionCardMd"],
  ["delete", "/v1/models/{model}/aliases/{alias}", "deleteModelAlias"],
  ["get", "/v1/tuf/{file}", "getTufByFile"],
  ["put", "/v1/populations/{population}/device/health", "putPopulationDeviceHealth"],
  ["get", "/healthz", "getHealthz"],
])("%s %s", (method, path, id) => {
  expect(operationIdOf(method, path)).toBe(id);
});
