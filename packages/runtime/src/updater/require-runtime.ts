import { failure } from "@tributary/core";
import type { ModelManifest } from "@tributary/protocol";
import { RUNTIME_VERSION } from "../version.ts";

/** @throws `runtime/too-old` */
export function requireRuntime(
  { model, version, requires }: Pick<ModelManifest, "model" | "version" | "requires">,
  own: string = RUNTIME_VERSION,
): void {
  const least = requires?.runtime;
  if (least === undefined || compare(own, least) >= 0) return;
  throw failure(
    "runtime/too-old",
    `model ${model}: version ${version} needs runtime ${least}, this is ${own}; build the app with a newer @tributary/runtime`,
    { detail: { model, version, needed: least, runtime: own } },
  );
}

/** Of `major.minor.patch`. */
function compare(a: string, b: string): number {
  const [left, right] = [a, b].map((each) => each.split(".").map(Number));
  return left!.map((part, i) => part - right![i]!).find((difference) => difference !== 0) ?? 0;
}
