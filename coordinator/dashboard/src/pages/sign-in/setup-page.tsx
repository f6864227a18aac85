import { type ReactNode, useState } from "react";
import { useSession } from "../../data/session-context.ts";
import { AccessCard } from "./access-card.tsx";
import { AccessField } from "./access-field.tsx";

/** In the fragment, which browsers send nobody. */
function codeInAddress(): string {
  return new URLSearchParams(location.hash.slice(1)).get("code") ?? "";
}

/** Makes the first admin, with the link that the coordinator printed. */
export function SetupPage(): ReactNode {
  const session = useSession();
  const [code] = useState(codeInAddress);
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  return (
    <AccessCard
      title="The first account"
      action="Make the account"
      run={async () => {
        await session.setUp(code, name.trim(), password);
        // The code is of no use any more, and nobody should find it in the history.
        history.replaceState(null, "", "/");
        dispatchEvent(new PopStateEvent("popstate"));
      }}
    >
      <p className="quiet">It may everything: give others what they need afterwards.</p>
      <AccessField label="Name" name="username" value={name} onChange={setName} autoComplete="username" />
      <AccessField
        label="Password, at least 12 characters"
        name="new-password"
        type="password"
        value={password}
        onChange={setPassword}
        autoComplete="new-password"
      />
    </AccessCard>
  );
}
