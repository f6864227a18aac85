/** Where documents of rollouts have their place. Every device knows, so that they stand by themselves. */

export function rolloutPath(model: string, channel: string): string {
  return `models/${model}/${channel}.rollout.json`;
}

export function withdrawnPath(model: string): string {
  return `models/${model}/versions.withdrawn.json`;
}
