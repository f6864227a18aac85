import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";

// A page that does not ask for TensorFlow.js ships none of it, nor does its bundler look for it.

const PACKAGES = join(import.meta.dirname, "../../packages");

/** Files that bundling an entry reaches, through whatever it imports of ours, statically or later. */
function reached(entry: string): ReadonlySet<string> {
  const seen = new Set<string>();
  const others = [entry];
  for (let file = others.pop(); file !== undefined; file = others.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    if (!existsSync(file)) continue; // of another package, named by its specifier
    for (const specifier of importsOf(readFileSync(file, "utf8"))) others.push(resolve(file, specifier));
  }
  return seen;
}

/** Types alone are gone when the source is compiled. */
function importsOf(source: string): string[] {
  const code = source.replaceAll(/^(?:im|ex)port type [^;]*;$/gms, "").replaceAll(/typeof import\(/g, "");
  const from = /^(?:import|export|\} from)\b[^"';]*"([^"]+)";$/gm;
  const later = /\bimport\("([^"]+)"\)/g;
  const workers = /new URL\("(\.[^"]+)", import\.meta\.url\)/g;
  return [from, later, workers]
    .flatMap((pattern) => [...code.matchAll(pattern)])
    .map(([, specifier]) => specifier!);
}

function resolve(file: string, specifier: string): string {
  if (specifier.startsWith(".")) return join(dirname(file), specifier.replace(/\.js$/, ".ts"));
  const [, name, rest = ""] = /^@tributary\/([^/]+)(\/.+)?$/.exec(specifier) ?? [];
  if (name === undefined) return specifier;
  const manifest = JSON.parse(readFileSync(join(PACKAGES, name, "package.json"), "utf8")) as {
    readonly exports: Readonly<Record<string, Readonly<Record<string, string>>>>;
  };
  return join(PACKAGES, name, manifest.exports[`.${rest}`]!["@tributary/source"]!);
}

const ofTfjs = (files: ReadonlySet<string>): string[] =>
  [...files].filter((file) => file.includes("@tensorflow/"));

test("a page's runtime and its worker reach no TensorFlow.js", () => {
  const files = reached(join(PACKAGES, "runtime/src/browser.ts"));
  expect([...files].some((file) => file.endsWith("worker/device-worker.ts"))).toBe(true);
  expect(ofTfjs(files)).toEqual([]);
});

test("one that imports @tributary/runtime/tfjs does", () => {
  expect(ofTfjs(reached(join(PACKAGES, "runtime/src/tfjs.ts")))).toContain("@tensorflow/tfjs");
});
