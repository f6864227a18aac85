import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { HIDDEN, hideFields, hideText } from "../../../src/observability/logging/secrets.ts";

const secret = fc.stringMatching(/^[A-Za-z0-9_-]{24,48}$/);
const around = fc.stringMatching(/^[a-z ,.]{0,20}$/);

describe("secrets in fields", () => {
  test.each([
    "token",
    "operatorToken",
    "access_token",
    "Authorization",
    "set-cookie",
    "clientSecret",
    "password",
    "apiKey",
    "privateKey",
    "tributary-proof",
    "certificate",
  ])("%s is hidden, however deep it lies", (name) => {
    fc.assert(
      fc.property(secret, (value) => {
        const shown = hideFields({ [name]: value, given: { by: { [name]: [value], other: 1 } } });
        expect(JSON.stringify(shown)).not.toContain(value);
        expect(shown).toMatchObject({ [name]: HIDDEN, given: { by: { other: 1 } } });
      }),
    );
  });

  test("what is no secret stays as it is", () => {
    const at = new Date(0);
    const fields = {
      device: "a",
      roundId: "digits/1",
      tokens: 3,
      publicKey: "ab",
      at,
      list: [1],
      empty: null,
    };
    expect(hideFields(fields)).toEqual(fields);
    expect(hideFields({ token: undefined, password: null })).toEqual({ token: undefined, password: null });
  });
});

describe("secrets in text", () => {
  const within: readonly (readonly [string, (value: string) => string])[] = [
    ["a bearer's token", (value) => `authorization: Bearer ${value}`],
    ["a device's certificate", (value) => `Tributary ${value}`],
    ["a JSON Web Token", (value) => `eyJhbGciOi.${value}.${value}`],
    ["a user in an address", (value) => `https://someone:${value}@mlflow.example/api`],
    ["a parameter of an address", (value) => `GET /v1/callback?x=1&code=${value}&y=2`],
    ["an address that is a secret", (value) => `https://hooks.slack.com/services/${value}`],
    ["a private key", (value) => `-----BEGIN PRIVATE KEY-----${value}-----END PRIVATE KEY-----`],
  ];
  test.each(within)("%s is hidden", (_, textOf) => {
    fc.assert(
      fc.property(secret, around, around, (value, before, after) => {
        const line = JSON.stringify({ msg: `${before} ${textOf(value)}`, rest: after });
        const shown = hideText(line);
        expect(shown).not.toContain(value);
        // It is still the same entry.
        expect(JSON.parse(shown)).toMatchObject({ rest: after });
      }),
    );
  });

  test("secrets of this process are hidden wherever they stand", () => {
    fc.assert(
      fc.property(secret, around, (value, before) => {
        expect(hideText(`${before}${value}${before}`, [value])).toBe(`${before}${HIDDEN}${before}`);
      }),
    );
  });

  test("other text stays as it is", () => {
    const line = `{"msg":"Tributary coordinator: the Basic idea","path":"/v1/rounds/a%2F1","url":"http://127.0.0.1:80/x?limit=5"}`;
    expect(hideText(line)).toBe(line);
  });
});
