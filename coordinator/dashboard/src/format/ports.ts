import type { GraphPort } from "@tributary/api-client";

/** Ports in one line: `ids int64 [*,16], mask bool [*,16]`; a dimension * is free. */
export function formatPorts(ports: readonly GraphPort[]): string {
  return ports
    .map(({ name, dtype, shape }) => {
      const sizes = shape.map((size) => (size < 0 ? "*" : String(size)));
      return `${name} ${dtype} [${sizes.join(",")}]`;
    })
    .join(", ");
}
