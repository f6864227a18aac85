import { encodeHex, encodeUtf8, seededRandom, sha256 } from "@tributary/core";
import {
  armOf,
  parseRollout,
  parseWithdrawnVersions,
  readRollout,
  readWithdrawnVersions,
  rolloutDevice,
  rolloutManifestPath,
  type Rollout,
} from "@tributary/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

const random = seededRandom("rollouts");
const hex16 = () => encodeHex(Uint8Array.from({ length: 16 }, () => Math.floor(random.next() * 256)));
const encode = (document: unknown) => encodeUtf8(JSON.stringify(document));

const arm = (name: string, version: number) => ({
  name,
  version,
  manifest: { target: rolloutManifestPath("digits", "spring", name) },
});

function rollout(changes: Readonly<Record<string, unknown>> = {}): Rollout {
  return parseRollout(
    encode({
      formatVersion: 1,
      model: "digits",
      channel: "stable",
      rollout: "spring",
      control: 3,
      arms: [arm("treated", 4)],
      shares: [{ tags: [], share: 1000 }],
      devices: [],
      ...changes,
    }),
  );
}

describe("the arm of a device", () => {
  test("is drawn by as many as the share says, and kept as it grows", async () => {
    const devices = Array.from({ length: 2000 }, () => ({ installation: hex16(), tags: [] }));
    const two = [arm("a", 4), arm("b", 5)];
    const few = rollout({ arms: two, shares: [{ tags: [], share: 2000 }] });
    const all = rollout({ arms: two, shares: [{ tags: [], share: 10_000 }] });
    const drawn = await Promise.all(devices.map((device) => armOf(few, device)));
    for (const name of ["a", "b"]) {
      // Five standard deviations of a binomial around 200.
      const count = drawn.filter((each) => each?.name === name).length;
      expect(Math.abs(count - 200)).toBeLessThan(5 * Math.sqrt(2000 * 0.1 * 0.9));
    }
    for (const [i, device] of devices.entries()) {
      const later = await armOf(all, device);
      expect(later).toBeDefined();
      if (drawn[i] !== undefined) expect(later).toEqual(drawn[i]);
    }
  });

  test("follows the largest share of the tags that a device has", async () => {
    const rings = rollout({
      shares: [
        { tags: ["ring-0"], share: 10_000 },
        { tags: [], share: 0 },
      ],
    });
    await fc.assert(
      fc.asyncProperty(fc.stringMatching(/^[0-9a-f]{32}$/), async (installation) => {
        expect((await armOf(rings, { installation, tags: ["ring-0", "x"] }))?.version).toBe(4);
        expect(await armOf(rings, { installation, tags: ["ring-1"] })).toBeUndefined();
      }),
      { numRuns: 50 },
    );
  });

  test("is given to devices by name, which no one else can read in it", async () => {
    const deviceId = hex16();
    const named = rollout({ shares: [], devices: [await rolloutDevice("spring", deviceId)] });
    const installation = hex16();
    expect((await armOf(named, { installation, tags: [], deviceId }))?.name).toBe("treated");
    expect(await armOf(named, { installation, tags: [], deviceId: hex16() })).toBeUndefined();
    expect(await armOf(named, { installation, tags: [] })).toBeUndefined();
    expect(JSON.stringify(named)).not.toContain(deviceId);
  });

  test("follows from the bytes that SPEC.md names", async () => {
    const installation = "000102030405060708090a0b0c0d0e0f";
    const bytes = Buffer.concat([
      Buffer.from("tributary-rollout-v1"),
      Buffer.from(installation, "hex"),
      Buffer.from("spring"),
    ]);
    const share = Math.floor((Number.parseInt(sha256(bytes).slice(0, 12), 16) / 2 ** 48) * 10_000);
    const at = (units: number) => rollout({ shares: [{ tags: [], share: units }] });
    expect(await armOf(at(share), { installation, tags: [] })).toBeUndefined();
    expect(await armOf(at(share + 1), { installation, tags: [] })).toBeDefined();
  });
});

describe("documents of rollouts", () => {
  test.each([
    ["an arm twice", { arms: [arm("a", 4), arm("a", 5)] }, "/arms/1/name"],
    ["the control as an arm", { arms: [arm("a", 3)] }, "/arms/0/version"],
    [
      "a manifest elsewhere",
      { arms: [{ name: "a", version: 4, manifest: { target: "models/other/stable.json" } }] },
      "/arms/0/manifest/target",
    ],
    ["a share above all", { shares: [{ tags: [], share: 10_001 }] }, "/shares/0/share"],
    ["something unknown", { extra: 1 }, "/"],
  ])("are refused with %s", (_, changes, path) => {
    expect(() => rollout(changes)).toThrow(
      expect.objectContaining({
        code: "protocol/invalid-document",
        detail: expect.objectContaining({ path }),
      }),
    );
  });

  test("are read by devices as they are parsed, and refused for the same reasons", async () => {
    const good = rollout();
    expect(await readRollout(encode(good))).toEqual(good);
    const value = fc.oneof(fc.constant(undefined), fc.jsonValue(), fc.constantFrom(3, 4, "digits", []));
    const path = fc.constantFrom(...Object.keys(good), "arms.0", "shares.0", "extra");
    await fc.assert(
      fc.asyncProperty(path, value, async (field, to) => {
        const [name, index] = field.split(".") as [keyof Rollout, string?];
        const changed = { ...good, [name]: index === undefined ? to : [to] };
        let parsed: unknown;
        try {
          parsed = parseRollout(encode(changed));
        } catch (error) {
          const { detail } = error as { detail: object };
          await expect(readRollout(encode(changed))).rejects.toMatchObject({ detail });
          return;
        }
        expect(await readRollout(encode(changed))).toEqual(parsed);
      }),
    );
    const withdrawn = { formatVersion: 1, model: "digits", versions: [] };
    expect(await readWithdrawnVersions(encode(withdrawn))).toEqual(withdrawn);
    await expect(readWithdrawnVersions(encode({ ...withdrawn, versions: [1] }))).rejects.toMatchObject({
      code: "protocol/invalid-document",
    });
  });

  test("of withdrawn versions say which, why and when", () => {
    const document = {
      formatVersion: 1,
      model: "digits",
      versions: [{ version: 4, reason: "rolled back: crashes", at: "2026-11-29T06:00:00Z" }],
    };
    expect(parseWithdrawnVersions(encode(document))).toEqual(document);
    expect(() => parseWithdrawnVersions(encode({ ...document, versions: [{ version: 4 }] }))).toThrow(
      /lacks reason, at|versions\/0/,
    );
  });
});
