import type { ChainAdvice, QuantizeOptions, WeightReport } from "./options.ts";

/** Share of weights beyond a frozen scale that a chain survives. */
const SATURATED_LIMIT = 0.001;
const ERROR_LIMIT = { int8: 0.02, int4: 0.2 } as const;

type LimitOptions = Pick<QuantizeOptions, "scheme" | "errorLimit">;

/** Whether frozen scales still fit. Without frozen scales a chain just began. */
export function chainAdvice(reports: readonly WeightReport[], options: QuantizeOptions): ChainAdvice {
  if (options.frozenScales === undefined) return { startNewChain: false, reasons: [] };
  const limit = errorLimitOf(options);
  const reasons = reports.flatMap((report) => {
    const { name, saturatedShare, relativeError } = report;
    return [
      ...(isBeyond(report)
        ? [
            `${percent(saturatedShare)} of "${name}" is beyond its frozen scale, more than ${percent(SATURATED_LIMIT)}`,
          ]
        : []),
      ...(isCoarse(report, options)
        ? [`"${name}" is off by ${percent(relativeError)}, more than ${percent(limit)}`]
        : []),
    ];
  });
  return { startNewChain: reasons.length > 0, reasons };
}

/** Whether too much of a weight lies outside of what its scale can express. */
export function isBeyond({ saturatedShare }: WeightReport): boolean {
  return saturatedShare > SATURATED_LIMIT;
}

/** Whether too little of its scale is in use. */
export function isCoarse({ relativeError }: WeightReport, options: LimitOptions): boolean {
  return relativeError > errorLimitOf(options);
}

function errorLimitOf({ scheme, errorLimit }: LimitOptions): number {
  return errorLimit ?? ERROR_LIMIT[scheme === "int4-weights" ? "int4" : "int8"];
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(2))} %`;
}
