export { createAgent, type Agent, type AgentOptions } from "./agent.ts";
export { readExamples } from "./read-examples.ts";
