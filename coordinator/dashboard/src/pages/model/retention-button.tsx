import { type RetentionRule, retentionConsequences } from "@tributary/api-client";
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { useDashboard } from "../../data/dashboard-context.ts";
import { ActionButton } from "../../ui/action-button.tsx";
import { errorWords } from "../../ui/error-words.ts";

interface Props {
  readonly model: string;
  /** As it is now. */
  readonly rule: RetentionRule;
}

const KEYS = ["newest", "releasedWithinDays", "deleteFiles"] as const;

/** Gives a model another rule, and says before which versions leave the release by it. */
export function RetentionButton({ model, rule: before }: Props): ReactNode {
  const [rule, setRule] = useState(before);
  const isValid = isWithin(rule.newest, 1, 1_000) && isWithin(rule.releasedWithinDays, 0, 3_650);
  const { queries } = useDashboard();
  const isOther = KEYS.some((key) => rule[key] !== before[key]);
  const { data, error } = useQuery({
    ...queries.retentionPreview(model, rule),
    enabled: isValid && isOther,
  });
  const consequences = isOther && data !== undefined ? retentionConsequences(model, data) : undefined;
  const change = (part: Partial<RetentionRule>): void => setRule({ ...rule, ...part });
  return (
    <ActionButton
      label="Change"
      title={`How long versions of ${model} stay`}
      confirm="Change the rule"
      hurts={consequences !== undefined && consequences.length > 0}
      ready={consequences !== undefined}
      consequence={
        !isOther || !isValid ? (
          <p>
            Name another rule: before it holds, you are told which versions leave the release by it. What
            devices may still need stays in any case.
          </p>
        ) : consequences === undefined ? (
          <p>{error === null ? "What would leave is looked for…" : errorWords(error)}</p>
        ) : (
          <p>
            {consequences.length === 0 ? "No version leaves the release now." : consequences.join(" ")} What
            devices may still need stays in any case.
          </p>
        )
      }
      done={`The versions of ${model} stay by another rule.`}
      of={model}
      testId="change-retention"
      run={(api) => api.setRetention(model, rule)}
    >
      <NumberField
        label="The newest versions that stay"
        value={rule.newest}
        min={1}
        max={1_000}
        onChange={(newest) => change({ newest })}
      />
      <NumberField
        label="Days that what a channel pointed to stays"
        value={rule.releasedWithinDays}
        min={0}
        max={3_650}
        onChange={(releasedWithinDays) => change({ releasedWithinDays })}
      />
      <label className="choice">
        <input
          type="checkbox"
          checked={rule.deleteFiles}
          onChange={() => change({ deleteFiles: !rule.deleteFiles })}
        />
        Delete the files of versions that left
      </label>
    </ActionButton>
  );
}

interface NumberFieldProps {
  readonly label: string;
  readonly value: number;
  readonly min: number;
  readonly max: number;
  readonly onChange: (value: number) => void;
}

function NumberField({ label, value, min, max, onChange }: NumberFieldProps): ReactNode {
  return (
    <label className="field">
      {label}, {min} to {max}
      <input
        type="number"
        required
        min={min}
        max={max}
        value={Number.isNaN(value) ? "" : value}
        onChange={(event) => onChange(event.target.valueAsNumber)}
      />
    </label>
  );
}

function isWithin(value: number, min: number, max: number): boolean {
  return Number.isInteger(value) && value >= min && value <= max;
}
