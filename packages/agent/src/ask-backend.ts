import { failure } from "@tributary/core";
import type { TokenRequest } from "@tributary/runtime";

const TIMEOUT_MS = 30_000;
const MAX_TOKEN_BYTES = 4096;

/**
 * Asks an app's backend for this device's token: posts whose key it is as JSON, and reads a text. `tributary issue serve` answers so.
 *
 * @param secret - shown as `Authorization: Bearer`
 * @throws TributaryError `identity/enrolment-failed`
 */
export function askBackend(url: string, secret: string): (device: TokenRequest) => Promise<string> {
  return async ({ population, publicKey, deviceId }) => {
    try {
      const response = await fetch(url, {
        method: "POST",
        headers: { "Content-Type": "application/json", Authorization: `Bearer ${secret}` },
        // A redirect must not carry the secret elsewhere.
        redirect: "error",
        body: JSON.stringify({ population, publicKey, deviceId }),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      if (!response.ok) throw new Error(`it answered ${response.status}`);
      return await readText(response);
    } catch (cause) {
      throw failure(
        "identity/enrolment-failed",
        `agent: no token from ${new URL(url).origin}: ${(cause as Error).message}`,
        { cause },
      );
    }
  };
}

async function readText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > MAX_TOKEN_BYTES) throw new Error(`a token has at most ${MAX_TOKEN_BYTES} bytes`);
  }
  return text;
}
