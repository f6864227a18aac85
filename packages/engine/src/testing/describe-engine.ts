import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Engine } from "../engine.ts";

export interface DescribeEngineOptions {
  /** Opens the engine under test. Called once per suite. */
  open(): Promise<Engine>;
  /** Largest relative error against the expected values. @defaultValue 1e-5 */
  readonly tolerance?: number;
}

/** The conformance suite of `Engine`: every adapter runs it. */
export function describeEngine(name: string, options: DescribeEngineOptions): void {
  describe(`engine ${name}`, () => {
    let engine: Engine;
    beforeAll(async () => {
      engine = await options.open();
    });
    afterAll(() => engine.close());

    test("has a name", () => {
      expect(engine.name).toMatch(/^ort-/);
    });
  });
}
