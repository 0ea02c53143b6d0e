/** Messages that could not be used, and why: to see, count and repair. */
import { Button } from "antd";
import { lazy, Suspense } from "react";
import { useSearchParams } from "react-router";
import { useNow } from "../clock";
import { useOpened } from "../opened";
import { Caught } from "../parts/caught";
import { Hint } from "../parts/hint";
import { Mappings } from "../parts/mappings";
import { Panel } from "../parts/panel";
import { Replaying } from "../parts/replaying";
import { Trouble } from "../parts/trouble";
import { Waiting } from "../parts/waiting";
import { useQuarantine, useSession } from "../queries";
import { useWords } from "../settings";
import type { Quarantined, Words } from "../shapes";
import { moment } from "../time";

const RefusedDrawer = lazy(() => import("../parts/refused_drawer"));
const MAY_TEACH = ["TC", "AD"];

export default function QuarantinePage() {
  const { say, pick } = useWords();
  const { message } = useOpened();
  const may = MAY_TEACH.includes(useSession().data?.role ?? "");
  const [search, set_search] = useSearchParams();
  const reason = search.get("reason");
  const refused = useQuarantine(reason);
  const choose = (to: string | null) => set_search(to ? { reason: to } : {});
  const items = refused.data?.pages.flatMap((page) => page.items) ?? [];
  const { counts = {}, titles = {} } = refused.data?.pages[0] ?? {};
  return (
    <div className="page">
      <Panel
        title={
          <span role="heading" aria-level={1}>
            {say("quarantine")}
          </span>
        }
        className="quarantine"
      >
        <p className="muted">{say("quarantine_what")}</p>
        <Reasons counts={counts} titles={titles} chosen={reason} choose={choose} />
        {refused.isPending && <Waiting rows={8} />}
        {refused.isError && !refused.data && <Trouble error={refused.error} retry={() => void refused.refetch()} />}
        {refused.data && items.length === 0 && <Nothing filtered={reason !== null} />}
        {may && reason && (
          <Replaying
            key={reason}
            which={{ reason }}
            idle={items.length === 0}
            label={say("replay_all", { n: counts[reason] ?? 0, reason: pick(titles[reason]) })}
          />
        )}
        {items.length > 0 && <Table items={items} />}
        {refused.hasNextPage && (
          <Button
            type="link"
            block
            loading={refused.isFetchingNextPage}
            onClick={() => void refused.fetchNextPage()}
          >
            {say("more")}
          </Button>
        )}
      </Panel>
      <Mappings may={may} />
      <Caught aside key={message ?? ""}>
        <Suspense>{message && <RefusedDrawer key={message} id={message} />}</Suspense>
      </Caught>
    </div>
  );
}

function Nothing({ filtered }: { filtered: boolean }) {
  const { say } = useWords();
  if (filtered) return <Hint title={say("quarantine_empty_reason")} />;
  return <Hint title={say("quarantine_empty")} how={say("quarantine_empty_how")} />;
}

type ReasonsProps = {
  counts: Record<string, number>;
  titles: Record<string, Words>;
  chosen: string | null;
  choose: (reason: string | null) => void;
};

function Reasons({ counts, titles, chosen, choose }: ReasonsProps) {
  const { say, pick } = useWords();
  const reasons = Object.entries(counts).sort((a, b) => b[1] - a[1]);
  if (reasons.length === 0) return null;
  const total = reasons.reduce((sum, [, n]) => sum + n, 0);
  return (
    <div className="components" role="group" aria-label={say("quarantine_reason")}>
      <button type="button" aria-pressed={chosen === null} onClick={() => choose(null)}>
        {say("quarantine_all")} <em>{total}</em>
      </button>
      {reasons.map(([reason, n]) => (
        <button key={reason} type="button" aria-pressed={chosen === reason} onClick={() => choose(reason)}>
          {pick(titles[reason]) || reason} <em>{n}</em>
        </button>
      ))}
    </div>
  );
}

function Table({ items }: { items: Quarantined[] }) {
  const { say, pick, language } = useWords();
  const { open_message } = useOpened();
  const now = useNow();
  return (
    <table className="rows refused">
      <thead>
        <tr>
          <th>{say("quarantine_at")}</th>
          <th>{say("quarantine_reason")}</th>
          <th>{say("quarantine_topic")}</th>
          <th>{say("quarantine_payload")}</th>
          <th className="figure">{say("quarantine_size")}</th>
        </tr>
      </thead>
      <tbody>
        {items.map((item) => (
          <tr key={item.id} onClick={() => open_message(item.id)}>
            <td className="cell-at">
              <button type="button" className="link">
                <time>{moment(item.at, now, language)}</time>
              </button>
            </td>
            <td className="cell-reason">
              <b>{pick(item.reason_title)}</b>
              <span>{item.why}</span>
            </td>
            <td className="cell-topic">
              <code>{item.topic}</code>
              {item.sender && (
                <span className="muted">
                  {say("quarantine_sender")} {item.sender}
                </span>
              )}
            </td>
            <td className="cell-payload">
              <code className="payload" tabIndex={0}>
                {item.payload}
              </code>
            </td>
            <td className="figure">{say("bytes", { n: item.size })}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
