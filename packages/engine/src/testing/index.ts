export { describeEngine, type DescribeEngineOptions } from "./describe-engine.ts";
