import { asModelName, asModelVersion } from "@tributary/core";
import { describe, expect, test } from "vitest";
import type { MetadataStore } from "../ports/metadata-store.ts";
import { codeOf } from "./code-of.ts";
import { exampleModel, exampleVersion } from "./records.ts";

const DIGITS = asModelName("digits");

/** What versions are called; part of the metadata store's suite. */
export function describeStoredAliases(opened: () => MetadataStore): void {
  describe("aliases", () => {
    const alias = (name: string, version: number, movedAt: number) => ({
      model: DIGITS,
      name,
      version: asModelVersion(version),
      movedAt,
    });
    const published = async (): Promise<MetadataStore> => {
      const store = opened();
      await store.models.insert(exampleModel());
      await store.versions.insert(exampleVersion(1, { releasedAt: 10 }));
      await store.versions.insert(exampleVersion(2, { releasedAt: null }));
      return store;
    };

    test("are given, moved and removed, and belong to one version each", async () => {
      const store = await published();
      await store.aliases.move(alias("reviewed", 2, 20));
      await store.aliases.move(alias("archive", 1, 30));
      await store.aliases.move(alias("reviewed", 1, 40));
      expect(await store.aliases.list(DIGITS)).toEqual([
        alias("archive", 1, 30),
        alias("champion", 1, 10),
        alias("reviewed", 1, 40),
      ]);
      expect(await store.aliases.get(DIGITS, "reviewed")).toEqual(alias("reviewed", 1, 40));
      expect(await store.aliases.remove(DIGITS, "archive")).toBe(true);
      expect(await store.aliases.remove(DIGITS, "archive")).toBe(false);
      expect(await store.aliases.get(DIGITS, "archive")).toBeUndefined();
      expect(await codeOf(store.aliases.move(alias("reviewed", 9, 50)))).toBe("store/not-found");
      expect(await store.aliases.list(asModelName("none"))).toEqual([]);
    });

    test("champion goes with the channel stable, and with no other", async () => {
      const store = await published();
      await store.aliases.move(alias("champion", 2, 20));
      await store.channels.move({
        model: DIGITS,
        name: "beta",
        version: asModelVersion(1),
        releasedAt: 30,
      });
      expect(await store.aliases.get(DIGITS, "champion")).toEqual(alias("champion", 2, 20));
      await store.channels.move({
        model: DIGITS,
        name: "stable",
        version: asModelVersion(1),
        releasedAt: 40,
      });
      expect(await store.aliases.get(DIGITS, "champion")).toEqual(alias("champion", 1, 40));
      await store.versions.insert(exampleVersion(3, { releasedAt: 50 }));
      expect(await store.aliases.get(DIGITS, "champion")).toEqual(alias("champion", 3, 50));
    });
  });
}
