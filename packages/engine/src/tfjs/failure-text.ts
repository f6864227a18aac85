/** What was thrown, in words: TensorFlow.js throws plain errors. */
export function text(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
