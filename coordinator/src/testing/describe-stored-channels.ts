import { asModelName, asModelVersion } from "@tributary/core";
import { describe, expect, test } from "vitest";
import type { MetadataStore } from "../ports/metadata-store.ts";
import { codeOf } from "./code-of.ts";
import { exampleModel, exampleVersion } from "./records.ts";

const DIGITS = asModelName("digits");
const CATS = asModelName("cats");

/** Channels and what they pointed to; part of the metadata store's suite. */
export function describeStoredChannels(opened: () => MetadataStore): void {
  describe("channels", () => {
    const published = async (): Promise<MetadataStore> => {
      const store = opened();
      await store.models.insert(exampleModel());
      for (const version of [1, 2, 3]) await store.versions.insert(exampleVersion(version));
      return store;
    };
    const channel = (name: string, version: number, releasedAt: number) => ({
      model: DIGITS,
      name,
      version: asModelVersion(version),
      releasedAt,
    });

    test("stable comes with the model and follows released versions; others are made by their first move", async () => {
      const store = opened();
      await store.models.insert(exampleModel({ releasedAt: 7 }));
      expect(await store.channels.list(DIGITS)).toEqual([channel("stable", 1, 7)]);
      await store.versions.insert(exampleVersion(1, { releasedAt: 10 }));
      await store.versions.insert(exampleVersion(2, { releasedAt: null }));
      expect(await store.channels.get(DIGITS, "stable")).toEqual(channel("stable", 1, 10));
      await store.channels.move(channel("beta", 2, 20));
      await store.channels.move(channel("alpha", 1, 30));
      await store.channels.move(channel("beta", 1, 40));
      expect(await store.channels.list(DIGITS)).toEqual([
        channel("stable", 1, 10),
        channel("alpha", 1, 30),
        channel("beta", 1, 40),
      ]);
      // Other channels say nothing about when a version was released to everybody.
      expect((await store.versions.get(DIGITS, asModelVersion(2)))?.releasedAt).toBeNull();
      expect(await store.models.get(DIGITS)).toMatchObject({ releasedVersion: 1, releasedAt: 10 });
      expect(await store.channels.get(DIGITS, "gamma")).toBeUndefined();
    });

    test("each version of a channel's history is there once, the newest first, also of one that was removed", async () => {
      const store = await published();
      await store.channels.move(channel("stable", 1, 2e12));
      await store.channels.move(channel("beta", 2, 3e12));
      expect(await store.channels.remove(DIGITS, "beta")).toBe(true);
      expect(await store.channels.remove(DIGITS, "beta")).toBe(false);
      expect((await store.channels.list(DIGITS)).map(({ name }) => name)).toEqual(["stable"]);
      const history = await store.channels.history(DIGITS);
      expect(history).toEqual([
        channel("beta", 2, 3e12),
        channel("stable", 1, 2e12),
        channel("stable", 3, exampleVersion(3).releasedAt!),
        channel("stable", 2, exampleVersion(2).releasedAt!),
      ]);
      expect(await store.channels.history(DIGITS, { name: "stable", limit: 2 })).toEqual(history.slice(1, 3));
      expect(await store.channels.history(CATS)).toEqual([]);
    });

    test("a channel points to no version that is not there, and a model's channels are its own", async () => {
      const store = await published();
      await store.models.insert(exampleModel({ name: CATS }));
      expect(await codeOf(store.channels.move(channel("beta", 9, 1)))).toBe("store/not-found");
      expect(await codeOf(store.channels.move({ ...channel("beta", 1, 1), model: CATS }))).toBe(
        "store/not-found",
      );
      await store.channels.move(channel("beta", 1, 1));
      expect((await store.channels.list(CATS)).map(({ name }) => name)).toEqual(["stable"]);
    });
  });
}
