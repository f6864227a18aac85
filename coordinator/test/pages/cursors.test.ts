import { asDeviceId, encodeBase64url, encodeUtf8 } from "@tributary/core";
import fc from "fast-check";
import Type from "typebox";
import { expect, test } from "vitest";
import { fieldCursors, numberOf, plainCursors } from "../../src/pages/cursors.ts";
import { codeOf } from "../../src/testing/index.ts";

const numbers = plainCursors(numberOf);
const devices = plainCursors(asDeviceId);
const places = fieldCursors(Type.Object({ at: Type.Integer(), key: Type.String() }));
const json = (value: unknown): string => encodeBase64url(encodeUtf8(JSON.stringify(value)));

test("property: a place reads back from its cursor, which a query carries as it is", () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.string({ unit: "grapheme", maxLength: 40 }), (at, key) => {
      expect(numbers.read(numbers.write(at))).toBe(at);
      const cursor = places.write({ at, key });
      expect(places.read(cursor)).toEqual({ at, key });
      expect(new URLSearchParams({ cursor }).toString()).toBe(`cursor=${cursor}`);
    }),
  );
});

test("property: any other text is refused with the code of the catalogue", async () => {
  const refused = async (read: () => unknown): Promise<void> =>
    expect(await codeOf((async () => read())())).toBe("http/invalid-cursor");
  for (const text of ["", " 1", "01", "-1", "1.5", "1e3", "9007199254740992", "NaN", "0x1"])
    await refused(() => numbers.read(text));
  for (const text of ["", "0", "9F86D081884C7D659A2FEAA0C55AD015"]) await refused(() => devices.read(text));
  for (const value of [null, [1, "a"], { at: 1 }, { at: "1", key: "a" }, { at: 1.5, key: "a" }])
    await refused(() => places.read(json(value)));
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: "binary" }), async (text) => {
      await refused(() => places.read(text));
    }),
  );
});
