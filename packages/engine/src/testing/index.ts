export { describeEngine, type DescribeEngineOptions, type SuiteModels } from "./describe-engine.ts";
