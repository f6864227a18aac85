import type { EligibilityRules, IneligibleReason } from "@tributary/protocol";

/** What a device knows of itself; null: its platform does not tell. It stays on the device. */
export interface DeviceConditions {
  /** That training can run on. */
  readonly engines: readonly string[];
  readonly memoryMb: number | null;
  /** `none`: it has no battery. `level` from 0 to 1. */
  readonly battery: { readonly charging: boolean; readonly level: number } | "none" | null;
  readonly network: "metered" | "unmetered" | null;
  /** What it keeps is there in the next round. */
  readonly durableStorage: boolean;
  /** BCP 47 tags. */
  readonly languages: readonly string[];
  /** That the app gave it. */
  readonly tags: readonly string[];
}

/** The first rule that the device does not meet; null: it meets all. */
export function ineligibleReason(
  rules: EligibilityRules,
  conditions: DeviceConditions,
): IneligibleReason | null {
  const unknown = rules.whenUnknown === "eligible";
  const { engines, memoryMb, battery, network, languages, tags } = conditions;
  if (rules.engines.length > 0 && !rules.engines.some((engine) => engines.includes(engine))) return "engine";
  if (rules.storage === "durable" && !conditions.durableStorage) return "storage";
  if (rules.minMemoryMb !== null && !(memoryMb === null ? unknown : memoryMb >= rules.minMemoryMb)) {
    return "memory";
  }
  if (rules.battery !== null && !(battery === null ? unknown : hasPower(rules.battery, battery))) {
    return "battery";
  }
  if (rules.network === "unmetered" && !(network === null ? unknown : network === "unmetered")) {
    return "network";
  }
  if (
    rules.localeTags.length > 0 &&
    !rules.localeTags.some((tag) => languages.some((each) => matches(each, tag)))
  ) {
    return "locale";
  }
  return rules.tags.every((tag) => tags.includes(tag)) ? null : "tags";
}

function hasPower(
  { charging, minLevel }: NonNullable<EligibilityRules["battery"]>,
  battery: NonNullable<DeviceConditions["battery"]>,
): boolean {
  if (battery === "none") return true;
  // At 1 a level alone never suffices: a battery may stay full for long after it was unplugged.
  return (charging && battery.charging) || (minLevel < 1 && battery.level >= minLevel);
}

/** Basic filtering (RFC 4647, 3.3.1): de matches de and de-CH. */
function matches(language: string, range: string): boolean {
  const [tag, prefix] = [language.toLowerCase(), range.toLowerCase()];
  return tag === prefix || tag.startsWith(`${prefix}-`);
}
