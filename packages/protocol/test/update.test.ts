import { asDigest, asRoundId, asTaskName } from "@tributary/core";
import { codeOf } from "@tributary/core/testing";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { decodeUpdateHeader, encodeUpdate, LIMITS, updateValues } from "../src/index.ts";

const header = {
  roundId: asRoundId("digits-7"),
  task: asTaskName("digits"),
  schemaDigest: asDigest("ab".repeat(32)),
  numExamples: 600,
  metrics: [1.5, 2, 600, 60],
};

test("a body comes back: header, offset, values, for every header length", () => {
  fc.assert(
    fc.property(
      fc.float32Array({ maxLength: 50, noNaN: true }),
      fc.stringMatching(/^[a-z0-9-]{1,64}$/),
      (values, id) => {
        const body = encodeUpdate({ ...header, roundId: asRoundId(id) }, values);
        const { header: back, payloadOffset, sizeBytes } = decodeUpdateHeader(body);
        expect(back).toEqual({ ...header, roundId: id, formatVersion: 1, count: values.length });
        expect(payloadOffset % 4).toBe(0);
        expect(sizeBytes).toBe(body.length);
        expect(updateValues(body.subarray(payloadOffset))).toEqual(Float32Array.from(values));
      },
    ),
  );
});

test("the header can be read from a prefix, and says when the prefix is too short", () => {
  const body = encodeUpdate(header, new Float32Array(1000));
  const { payloadOffset } = decodeUpdateHeader(body.subarray(0, LIMITS.maxUpdateHeaderBytes));
  for (let length = 0; length < payloadOffset; length++) {
    expect(codeOf(() => decodeUpdateHeader(body.subarray(0, length)))).toBe("update/truncated");
  }
});

test("lengths near 2^32, wrong magic and unknown formats are coded errors", () => {
  const body = encodeUpdate(header, new Float32Array(4));
  const view = new DataView(body.buffer);
  const length = view.getUint32(4, true);
  for (const lie of [0xffff_ffff, 0xffff_fff8, 0x7fff_ffff, LIMITS.maxUpdateHeaderBytes]) {
    view.setUint32(4, lie, true);
    expect(codeOf(() => decodeUpdateHeader(body))).toBe("update/invalid-header");
  }
  view.setUint32(4, length, true);
  body[8] = 2;
  expect(codeOf(() => decodeUpdateHeader(body))).toBe("update/invalid-header");
  body[8] = 1;
  body[0] = 0;
  expect(codeOf(() => decodeUpdateHeader(body))).toBe("update/invalid-header");
});

test("values are read from unaligned bytes too", () => {
  const values = Float32Array.of(1, -2.5, 3e38);
  const shifted = new Uint8Array(13);
  shifted.set(new Uint8Array(values.buffer), 1);
  expect(updateValues(shifted.subarray(1))).toEqual(values);
});
