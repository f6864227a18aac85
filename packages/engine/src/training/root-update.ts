import { seededRandom } from "@tributary/core";
import { exampleOf, inputColumns, type ExampleTable } from "../examples.ts";
import { train, type TrainRequest, type TrainResult } from "./train.ts";

export interface RootUpdateRequest extends Omit<TrainRequest, "examples" | "random" | "onProgress"> {
  /** Trusted examples. */
  readonly data: ExampleTable;
  /** Names of the model's inputs: a graph that loops over steps calls its own otherwise. */
  readonly inputs: readonly string[];
  /** Of the order of examples and of dropout masks: the same gives the same update. */
  readonly seed: string;
}

/**
 * Local training on a table instead of a device's examples: the update that a server makes itself.
 *
 * @throws `dataset/mismatch` and what {@link train} throws
 */
export function rootUpdate({ data, inputs, seed, ...request }: RootUpdateRequest): Promise<TrainResult> {
  const columns = inputColumns(data, inputs);
  const examples = Array.from({ length: data.count }, (_, row) => exampleOf(data, columns, row));
  return train({ ...request, examples, random: seededRandom(seed) });
}
