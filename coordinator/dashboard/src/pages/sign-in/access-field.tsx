import { type ReactNode, useId } from "react";

/** One thing that is typed in. */
export function AccessField({
  label,
  name,
  value,
  onChange,
  autoComplete,
  type = "text",
}: {
  readonly label: string;
  readonly name: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly autoComplete: string;
  readonly type?: "text" | "password";
}): ReactNode {
  const id = useId();
  return (
    <div className="access-field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        name={name}
        type={type}
        value={value}
        autoComplete={autoComplete}
        autoCapitalize="none"
        spellCheck={false}
        required
        data-testid={name}
        onChange={(event) => onChange(event.target.value)}
      />
    </div>
  );
}
