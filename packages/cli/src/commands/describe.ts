import { describeModel, type ValueDescription } from "@tributary/onnx";
import { Command } from "commander";
import { readInput } from "../read-input.ts";

/** `tributary describe model.onnx`: what is in it, and whether it can be trained. */
export function describeCommand(): Command {
  return new Command("describe")
    .description("Tell what an ONNX file holds and whether its graph can be trained on devices.")
    .argument("<file>", "the ONNX file")
    .option("--json", "print one JSON object")
    .action(async (file: string, options: { readonly json?: boolean }) => {
      const description = describeModel(await readInput(file));
      if (options.json === true) return console.log(JSON.stringify(description));
      const { inputs, outputs, parameters } = description;
      const port = (value: ValueDescription): string =>
        `${value.name}: ${value.elementType} [${value.shape?.join(", ") ?? "unknown shape"}]`;
      const total = parameters.reduce((sum, parameter) => sum + parameter.count, 0);
      const { flops, trainable, reasons, obstacles } = description;
      console.log(
        `trainable   ${trainable ? `yes, with the loss ${description.loss}` : `no: ${reasons.join("; ")}`}`,
      );
      for (const { node, advice } of obstacles) console.log(`            ${node}: ${advice}`);
      console.log(`opset       ${description.opset}`);
      for (const input of inputs) console.log(`input       ${port(input)}`);
      for (const output of outputs) console.log(`output      ${port(output)}`);
      console.log(
        `operators   ${Object.entries(description.ops)
          .map(([op, n]) => `${op} x${n}`)
          .join(", ")}`,
      );
      if (flops !== undefined) console.log(`flops       ${flops.total.toLocaleString("en")} an example`);
      console.log(`parameters  ${total.toLocaleString("en")} in ${parameters.length} tensors`);
      for (const parameter of parameters)
        console.log(`            ${parameter.name} [${parameter.shape.join(", ")}]`);
    });
}
