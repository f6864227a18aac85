import { concatBytes, failure, sha256 } from "@tributary/core";
import type { ExpectedBody } from "../update-file.ts";

/**
 * A body that is small and may hold shares of secrets: never on disk.
 *
 * @throws `update/too-large`, `update/truncated`, `update/digest-mismatch`; what the source throws
 */
export async function receiveSmall(
  source: AsyncIterable<Uint8Array>,
  { digest, sizeBytes }: ExpectedBody,
): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let got = 0;
  for await (const chunk of source) {
    got += chunk.length;
    if (got > sizeBytes) {
      throw failure("update/too-large", `rounds: more than the ${sizeBytes} bytes announced`, {
        detail: { announced: sizeBytes },
      });
    }
    chunks.push(chunk);
  }
  if (got < sizeBytes) {
    throw failure("update/truncated", `rounds: ${got} of ${sizeBytes} bytes came`, {
      detail: { got, expected: sizeBytes },
    });
  }
  const bytes = concatBytes(...chunks);
  if (sha256(bytes) !== digest) {
    throw failure("update/digest-mismatch", `rounds: the body is not ${digest}`, {
      detail: { announced: digest },
    });
  }
  return bytes;
}
