/** Grey shapes where an answer will be. */
import { Skeleton } from "antd";

export function Waiting({ rows = 4 }: { rows?: number }) {
  return (
    <div className="waiting" aria-busy>
      <Skeleton active title={false} paragraph={{ rows }} />
    </div>
  );
}
