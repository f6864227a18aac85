import type { ChainAdvice, QuantizeOptions, WeightReport } from "./options.ts";

/** Share of weights beyond a frozen scale that a chain survives. */
const SATURATED_LIMIT = 0.001;
const ERROR_LIMIT = { int8: 0.02, int4: 0.2 } as const;

/** Whether frozen scales still fit. Without frozen scales a chain just began. */
export function chainAdvice(reports: readonly WeightReport[], options: QuantizeOptions): ChainAdvice {
  if (options.frozenScales === undefined) return { startNewChain: false, reasons: [] };
  const limit = options.errorLimit ?? ERROR_LIMIT[options.scheme === "int4-weights" ? "int4" : "int8"];
  const reasons = reports.flatMap(({ name, saturatedShare, relativeError }) => [
    ...(saturatedShare > SATURATED_LIMIT
      ? [
          `${percent(saturatedShare)} of "${name}" is beyond its frozen scale, more than ${percent(SATURATED_LIMIT)}`,
        ]
      : []),
    ...(relativeError > limit
      ? [`"${name}" is off by ${percent(relativeError)}, more than ${percent(limit)}`]
      : []),
  ]);
  return { startNewChain: reasons.length > 0, reasons };
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(2))} %`;
}
