export { digitsTask, MODEL, POPULATION, TASK } from "./start/digits-task.ts";
export { createStack, type Stack, type StackOptions } from "./start/stack.ts";
