// `pnpm bench NAME`: plain JavaScript, so that a machine with an old Node or a broken install gets a sentence.
import { requireModernNode } from "./require-node.mjs";

requireModernNode();
const { main } = await import("./src/bench/main.ts");
const code = await main(process.argv.slice(2));
// A pipe takes what was printed in its own time.
process.stdout.write("", () => process.exit(code));
