import { failure } from "@tributary/core";
import type { GraphPort } from "@tributary/protocol";
import type { RunFeeds } from "../device.ts";
import type { FeedValue, InputValue, ModelState } from "../runtime.ts";
import { toFeeds } from "../updater/feeds.ts";
import { isImageSource, toImageInput, type ImageInput, type ImageSource } from "./image-input.ts";

/**
 * What an app feeds, as it crosses to where the model runs.
 *
 * @param given - the app gives its memory away
 * @returns at once where there is no image
 * @throws those of `toFeeds`, and `runtime/unsupported-image`
 */
export function toRunFeeds(
  { inputs, processing }: Pick<ModelState, "inputs" | "processing">,
  values: Readonly<Record<string, InputValue>>,
  given: boolean,
  /** Tensors may stay in the app's memory: they are copied in this turn. */
  copied = false,
): RunFeeds | Promise<RunFeeds> {
  const images: [GraphPort, ImageSource][] = [];
  const others: Record<string, FeedValue> = {};
  for (const [name, value] of Object.entries(values)) {
    const port = inputs.find((each) => each.name === name);
    if (port === undefined || !isImageSource(value)) others[name] = value as FeedValue;
    else if (processing?.inputs?.[name]?.kind !== "image") throw notForImages(port);
    else images.push([port, value]);
  }
  const isImage = new Set(images.map(([port]) => port));
  const tensors = toFeeds(
    inputs.filter((port) => !isImage.has(port)),
    others,
    given || (copied && images.length === 0) ? "given" : "own",
  );
  return images.length === 0 ? tensors : withImages(tensors, images, given);
}

async function withImages(
  tensors: RunFeeds,
  images: readonly (readonly [GraphPort, ImageSource])[],
  given: boolean,
): Promise<RunFeeds> {
  const inputs = await Promise.all(
    images.map(async ([{ name }, source]): Promise<[string, ImageInput]> => [
      name,
      await toImageInput(name, source, given),
    ]),
  );
  return { ...tensors, ...Object.fromEntries(inputs) };
}

/**
 * The feeds of a model whose only input is an image.
 *
 * @throws `engine/input-mismatch` for others
 */
export function onlyImage(
  { inputs }: Pick<ModelState, "inputs">,
  image: ImageSource,
): Readonly<Record<string, InputValue>> {
  const [first] = inputs;
  if (inputs.length === 1 && first !== undefined) return { [first.name]: image };
  const names = inputs.map(({ name }) => `"${name}"`).join(", ");
  throw failure(
    "engine/input-mismatch",
    `stream: an image alone does not feed a model of ${names}; give each by name`,
    {
      detail: { expected: names, got: "an image" },
    },
  );
}

function notForImages({ name, dtype, shape }: GraphPort): Error {
  return failure(
    "engine/input-mismatch",
    `run: input "${name}" takes ${dtype} [${shape.join()}]; how an image becomes that was not published with the model (processing)`,
    { detail: { input: name, expected: dtype, got: "an image" } },
  );
}
