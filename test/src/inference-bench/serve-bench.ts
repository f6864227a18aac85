import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { createReleaseRepository } from "../../../packages/runtime/test/fixtures/release-repository.ts";
import { MODELS } from "./models.ts";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".json": "application/json",
  ".wasm": "application/wasm",
};

export interface BenchServer {
  readonly url: string;
  /** The TUF root, for devices that are no page. */
  readonly root: Uint8Array;
  close(): Promise<void>;
}

/** The built page, the models as files, and the same models as signed releases, from one origin. */
export async function serveBench(folder: string): Promise<BenchServer> {
  const repository = await createReleaseRepository();
  const files = new Map<string, Uint8Array>();
  for (const { name, build } of MODELS) {
    const onnx = build();
    files.set(`/models/${name}.onnx`, onnx);
    // As Transformers.js looks for it.
    files.set(`/transformers/${name}/onnx/model.onnx`, onnx);
    files.set(`/transformers/${name}/config.json`, new TextEncoder().encode("{}"));
    await repository.releaseModel(name, onnx);
  }
  const list = MODELS.map(({ name, input, shape }) => ({ name, input, shape }));
  files.set("/models.json", new TextEncoder().encode(JSON.stringify(list)));
  const read = (path: string): Uint8Array | undefined => {
    if (path.startsWith("/v1/tuf/")) return repository.metadata.get(path.slice("/v1/tuf/".length));
    if (path.startsWith("/v1/blobs/")) return repository.blobs.get(path.slice("/v1/blobs/".length));
    if (files.has(path)) return files.get(path);
    try {
      return readFileSync(join(folder, normalize(path)));
    } catch {
      return undefined;
    }
  };
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const path = pathname === "/" ? "/index.html" : pathname;
    const bytes = read(path);
    response.writeHead(bytes === undefined ? 404 : 200, {
      "Content-Type": TYPES[extname(path)] ?? "application/octet-stream",
      "Cross-Origin-Opener-Policy": "same-origin",
      "Cross-Origin-Embedder-Policy": "require-corp",
      // As a site serves them: names of built files change with their content.
      "Cache-Control": path.startsWith("/assets/") ? "max-age=31536000, immutable" : "no-cache",
    });
    response.end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    root: repository.root,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
