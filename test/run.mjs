// `pnpm test`: plain JavaScript, so that a machine with an old Node or a broken install gets a sentence instead of a stack.
import { requireModernNode } from "./require-node.mjs";

requireModernNode();
const { main } = await import("./src/runner/main.ts");
process.exitCode = await main(process.argv.slice(2));
