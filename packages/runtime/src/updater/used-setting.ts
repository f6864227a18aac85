/** Where it is kept when a model was used last. */
export function usedSetting(model: string, channel: string): string {
  return `used/${model}/${channel}`;
}
