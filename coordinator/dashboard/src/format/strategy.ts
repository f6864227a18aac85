import type { TaskView } from "@tributary/api-client";

const FIGURE = new Intl.NumberFormat("en", { maximumSignificantDigits: 4, useGrouping: false });

/** The parameters in one line: `learningRate 0.1, beta1 0.9`. */
export function formatParameters({ parameters }: TaskView["spec"]["strategy"]): string {
  return Object.entries(parameters)
    .map(([name, value]) => `${name} ${FIGURE.format(value)}`)
    .join(", ");
}
