/**
 * Natural logarithm of a positive normal number from additions, multiplications and one division only, so that
 * every platform gives the same bits (`Math.log` is implementation-defined). After fdlibm's e_log.c; error < 1 ulp.
 */
const LN2_HI = 6.9314718036912381649e-1;
const LN2_LO = 1.90821492927058770002e-10;
const L1 = 6.66666666666673513e-1;
const L2 = 3.999999999940941908e-1;
const L3 = 2.857142874366239149e-1;
const L4 = 2.222219843214978396e-1;
const L5 = 1.818357216161805012e-1;
const L6 = 1.531383769920937332e-1;
const L7 = 1.479819860511658591e-1;

const scratch = new DataView(new ArrayBuffer(8));

export function exactLog(x: number): number {
  scratch.setFloat64(0, x);
  const high = scratch.getUint32(0);
  // x = 2^k * m with m in [sqrt(1/2), sqrt(2))
  let k = (high >>> 20) - 1023;
  scratch.setUint32(0, (high & 0x000fffff) | 0x3ff00000);
  let m = scratch.getFloat64(0);
  if (m > Math.SQRT2) {
    m /= 2;
    k += 1;
  }
  const f = m - 1;
  const s = f / (2 + f);
  const z = s * s;
  const w = z * z;
  const r = z * (L1 + w * (L3 + w * (L5 + w * L7))) + w * (L2 + w * (L4 + w * L6));
  const half = 0.5 * f * f;
  return k * LN2_HI - (half - (s * (half + r) + k * LN2_LO) - f);
}
