import { Toast } from "@base-ui/react/toast";
import type { ReactNode } from "react";
import { CheckIcon, CrossIcon, WarningIcon } from "./icons.tsx";

/** The notices, in the corner of the page. */
export function NoticeArea(): ReactNode {
  return (
    <Toast.Portal>
      <Toast.Viewport className="notices">
        <Notices />
      </Toast.Viewport>
    </Toast.Portal>
  );
}

function Notices(): ReactNode {
  const { toasts } = Toast.useToastManager();
  return toasts.map((toast) => (
    <Toast.Root key={toast.id} toast={toast} className="notice" data-testid="notice">
      <Toast.Content className="notice-content">
        {toast.type === "failed" ? <WarningIcon /> : <CheckIcon />}
        <div>
          <Toast.Title className="notice-title" />
          <Toast.Description className="notice-text" />
        </div>
        <Toast.Close className="icon-button" aria-label="Close">
          <CrossIcon />
        </Toast.Close>
      </Toast.Content>
    </Toast.Root>
  ));
}
