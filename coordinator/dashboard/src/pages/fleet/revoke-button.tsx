import { useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import type { DeviceView } from "@tributary/api-client";
import { ALL_MODELS } from "../../data/permissions.ts";
import { ActionButton } from "../../ui/action-button.tsx";

/** Cuts a device off, and asks before. */
export function RevokeButton({ device }: { readonly device: DeviceView }): ReactNode {
  const client = useQueryClient();
  const [reason, setReason] = useState("");
  const { deviceId, population } = device;
  if (device.state === "revoked") return null;
  return (
    <ActionButton
      label="Revoke"
      title="Revoke this device?"
      confirm="Revoke it"
      hurts
      consequence={
        <>
          <p>
            <code>{deviceId}</code> of {population} is cut off within a second, and takes part in nothing any
            more. None of its certificates admits it again, until you let it enrol anew.
          </p>
        </>
      }
      done="The device is revoked."
      of={ALL_MODELS}
      testId="revoke-device"
      run={async (api) => {
        await api.revokeDevice(deviceId, reason.trim());
        await client.invalidateQueries({ queryKey: ["fleet"] });
      }}
    >
      <label className="revoke-reason">
        <span>Why? The audit log keeps it.</span>
        <input
          required
          maxLength={500}
          value={reason}
          onChange={(event) => setReason(event.target.value)}
          data-testid="revoke-reason"
        />
      </label>
    </ActionButton>
  );
}

/** Lets a revoked device enrol again. */
export function ReadmitButton({ device }: { readonly device: DeviceView }): ReactNode {
  const client = useQueryClient();
  if (device.state !== "revoked") return null;
  return (
    <ActionButton
      label="Let it enrol again"
      confirm="Let it"
      consequence={
        <p>
          With a new token <code>{device.deviceId}</code> may take part again. The certificates that it had
          stay refused.
        </p>
      }
      done="The device may enrol again."
      of={ALL_MODELS}
      testId="readmit-device"
      run={async (api) => {
        await api.readmitDevice(device.deviceId);
        await client.invalidateQueries({ queryKey: ["fleet"] });
      }}
    />
  );
}
