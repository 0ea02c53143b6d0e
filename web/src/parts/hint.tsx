/** Nothing here, and what would put something here. */
import type { ReactNode } from "react";

export function Hint({ title, how, action }: { title: string; how?: string; action?: ReactNode }) {
  return (
    <div className="hint">
      <strong>{title}</strong>
      {how && <p>{how}</p>}
      {action}
    </div>
  );
}
