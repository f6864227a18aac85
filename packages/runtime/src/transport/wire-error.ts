export { fromProblem } from "@tributary/core";
