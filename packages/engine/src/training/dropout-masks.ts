import type { SeededRandom } from "@tributary/core";
import type { TrainingGraphDocument } from "@tributary/protocol";
import { elementCount, tensor, type Tensor } from "@tributary/tensor";

/** Feeds for the dropout masks of one run. Without a source of randomness nothing is dropped, for comparing engines. */
export function dropoutMasks(
  { dropouts = [] }: TrainingGraphDocument,
  random?: SeededRandom,
): Readonly<Record<string, Tensor>> {
  return Object.fromEntries(
    dropouts.map(({ input, shape, ratio }) => {
      const mask = new Float32Array(elementCount(shape));
      if (random === undefined) mask.fill(1);
      else for (let i = 0; i < mask.length; i++) mask[i] = random.next() < ratio ? 0 : 1;
      return [input, tensor("float32", [...shape], mask)];
    }),
  );
}
