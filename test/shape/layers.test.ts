import { readFileSync } from "node:fs";
import { globSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");

/** An import may only point to an earlier row. Packages of one row never import each other. */
const LAYERS: readonly (readonly string[])[] = [
  ["core"],
  ["tensor"],
  ["onnx", "secagg", "privacy", "aggregation", "metrics", "tuf", "protocol"],
  ["federation", "api-client", "engine"],
  ["runtime"],
  ["agent", "simulator", "react"],
  ["coordinator", "dashboard"],
  ["cli", "demo"],
  ["test"],
];

/** What a row may use beyond the rule, and what some may not. */
const MAY_NOT: Readonly<Record<string, readonly string[]>> = {
  coordinator: ["runtime", "agent", "react"],
};
const ONLY: Readonly<Record<string, readonly string[]>> = { dashboard: ["api-client"] };
const scope = "@tributary/";

interface Manifest {
  readonly name: string;
  readonly imports?: Readonly<Record<string, unknown>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

const manifests = globSync(
  [
    "packages/*/package.json",
    "coordinator/package.json",
    "coordinator/dashboard/package.json",
    "demo/package.json",
    "test/package.json",
  ],
  { cwd: ROOT },
).map((file) => ({
  folder: join(ROOT, file, ".."),
  manifest: JSON.parse(readFileSync(join(ROOT, file), "utf8")) as Manifest,
}));

function rank(name: string): number {
  return LAYERS.findIndex((row) => row.includes(name));
}

function internal(names: Iterable<string>): string[] {
  return [...names]
    .filter((name) => name.startsWith(scope))
    .map((name) => name.slice(scope.length).split("/")[0]!);
}

function checkDirection(from: string, to: string): string | undefined {
  if (rank(to) < 0) return `${to} is in no layer`;
  if (rank(to) >= rank(from))
    return `${from} (row ${rank(from) + 1}) must not use ${to} (row ${rank(to) + 1})`;
  if (MAY_NOT[from]?.includes(to)) return `${from} must not use ${to}`;
  if (ONLY[from] !== undefined && !ONLY[from].includes(to))
    return `${from} may only use ${ONLY[from].join(", ")}`;
  return undefined;
}

test("the coordinator simulates in threads of its own only", () => {
  const { folder } = manifests.find(({ manifest }) => manifest.name === `${scope}coordinator`)!;
  const users = globSync("src/**/*.ts", { cwd: folder }).filter((file) =>
    readFileSync(join(folder, file), "utf8").includes('from "@tributary/simulator"'),
  );
  // The second is the first's alone.
  expect(users.toSorted()).toEqual([
    "src/estimates/estimate-worker.ts",
    "src/estimates/simulated-examples.ts",
  ]);
  const importers = globSync("src/**/*.ts", { cwd: folder }).filter((file) =>
    readFileSync(join(folder, file), "utf8").includes("simulated-examples.ts"),
  );
  expect(importers).toEqual(["src/estimates/estimate-worker.ts"]);
});

describe.each(manifests)("$manifest.name", ({ folder, manifest }) => {
  const self = manifest.name.slice(scope.length);
  const declared = internal(Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }));

  test("stands in the layer table", () => {
    expect(rank(self)).toBeGreaterThanOrEqual(0);
  });

  test("only depends downwards", () => {
    expect(declared.map((name) => checkDirection(self, name)).filter((fault) => fault !== undefined)).toEqual(
      [],
    );
  });

  test("imports nothing it does not declare", () => {
    const used = new Map<string, string>();
    const files = globSync(["src/**/*.{ts,tsx}"], { cwd: folder }).filter(
      (file) => !file.includes("testing"),
    );
    const packageOf = (specifier: string): string =>
      specifier
        .split("/")
        .slice(0, specifier.startsWith("@") ? 2 : 1)
        .join("/");
    for (const file of files) {
      const text = readFileSync(join(folder, file), "utf8");
      for (const match of text.matchAll(/(?:\bfrom\s+|\bimport\s+|\bimport\s*\(\s*)"([^".][^"]*)"/g)) {
        const specifier = match[1]!;
        if (specifier.startsWith("node:") || specifier.startsWith("/") || specifier.startsWith("virtual:"))
          continue;
        used.set(packageOf(specifier), file);
      }
    }
    const allowed = new Set(
      Object.keys({
        ...manifest.imports,
        ...manifest.dependencies,
        ...manifest.peerDependencies,
        ...manifest.devDependencies,
      }),
    );
    allowed.add(manifest.name);
    expect(
      [...used].filter(([name]) => !allowed.has(name)).map(([name, file]) => `${file}: ${name}`),
    ).toEqual([]);
  });
});
