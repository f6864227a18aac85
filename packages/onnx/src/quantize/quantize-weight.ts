import type { QuantizeOptions } from "./options.ts";
import { quantizeTensor, type QuantizedTensor, type TensorQuantization } from "./quantize-tensor.ts";
import { frozenWeight } from "./scheme.ts";
import { channelGroups, type WeightSite } from "./weight-site.ts";

/**
 * A scale for each channel costs eight bytes with its bias's; by default it has to make the error of one scale
 * for the whole weight at least this much smaller.
 */
const WORTHWHILE_GAIN = 1.5;

/** Rounds a weight, per channel where that is asked for, was done before, or pays. */
export function quantizeWeight(
  site: WeightSite,
  options: QuantizeOptions,
  how: Omit<TensorQuantization, "frozen" | "smallest"> & {
    readonly smallestScales?: (groups: number) => ArrayLike<number>;
  },
): QuantizedTensor {
  const frozen = frozenWeight(options, site.weight.name);
  const round = (perChannel: boolean): QuantizedTensor => {
    const grouped = channelGroups(site, perChannel);
    const smallest = how.smallestScales?.(grouped.groups);
    return quantizeTensor(grouped, { ...how, frozen, ...(smallest === undefined ? {} : { smallest }) });
  };
  if (frozen !== undefined) return round(frozen.scales.length > 1);
  if (options.perChannel !== undefined) return round(options.perChannel);
  const [whole, byChannel] = [round(false), round(true)];
  const pays = whole.report.relativeError >= WORTHWHILE_GAIN * byChannel.report.relativeError;
  return pays && whole.report.relativeError > 0 ? byChannel : whole;
}
