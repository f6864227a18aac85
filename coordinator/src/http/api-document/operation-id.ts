/**
 * What an operation is called, from its method and path: `GET /v1/models/{model}/versions` is `getModelVersions`,
 * `GET /v1/models/{model}` is `getModel`.
 */
export function operationIdOf(method: string, path: string): string {
  const words: string[] = [];
  for (const segment of path.replace(/^\/v1\//, "/").split("/")) {
    if (segment === "") continue;
    // A parameter says which one of those before it.
    if (segment.startsWith("{")) {
      const name = segment.slice(1, -1);
      const before = words.at(-1);
      if (before !== undefined && singular(before) !== before) words[words.length - 1] = singular(before);
      else words.push("by", name);
    } else words.push(...segment.split(/[^A-Za-z0-9]+/));
  }
  return method.toLowerCase() + words.map((word) => word.slice(0, 1).toUpperCase() + word.slice(1)).join("");
}

function singular(word: string): string {
  if (word.endsWith("ies")) return `${word.slice(0, -3)}y`;
  if (word.endsWith("aliases")) return word.slice(0, -2);
  return word.endsWith("s") && !word.endsWith("ss") ? word.slice(0, -1) : word;
}
