import { failure } from "@tributary/core";

/**
 * Who signs for one model says nothing of another: what a document of a model names has to lie in that model's folder.
 *
 * @throws `runtime/incompatible-release`
 */
export function requireOwn(model: string, paths: Iterable<string>): void {
  for (const path of paths) {
    if (path.startsWith(`models/${model}/`)) continue;
    throw failure("runtime/incompatible-release", `release: what is signed for ${model} names "${path}"`);
  }
}
