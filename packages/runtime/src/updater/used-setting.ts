/** Where it is kept when a model was used last: milliseconds since the epoch. */
export function usedSetting(model: string, channel: string): string {
  return `used/${model}/${channel}`;
}
