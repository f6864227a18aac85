import { describeEngine } from "../../src/testing/index.ts";
import { createTfjsEngine } from "../../src/tfjs/index.ts";
import { SUITE_MODELS } from "./suite-models.ts";

describeEngine("tfjs-webgpu", {
  open: () => createTfjsEngine({ backend: "webgpu" }),
  models: SUITE_MODELS,
});
