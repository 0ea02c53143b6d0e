/** What was taught, by whom and when; each can be taken back. */
import { Button, Popconfirm } from "antd";
import { useNow } from "../clock";
import { useMappings, useUnteach } from "../queries";
import { useWords } from "../settings";
import { moment } from "../time";
import { Panel } from "./panel";
import { Trouble } from "./trouble";

export function Mappings({ may }: { may: boolean }) {
  const { say, pick, language } = useWords();
  const now = useNow();
  const mappings = useMappings();
  const undo = useUnteach();
  const rows = mappings.data?.items ?? [];
  if (rows.length === 0) return null;
  return (
    <Panel title={say("mappings")} className="mappings">
      {undo.isError && <Trouble error={undo.error} />}
      <ul>
        {rows.map((row) => (
          <li key={row.id}>
            <span className="muted">{pick(row.kind_title)}</span>
            <span>
              <code>{row.sent}</code> → {row.means ? <code>{row.means}</code> : <i>{say("mapping_ignored")}</i>}
            </span>
            <span className="chip">{row.device || row.model || say("mapping_everywhere")}</span>
            <span className="muted">
              {pick(row.by_title)}, {moment(row.at, now, language)}
              {row.version > 1 && ` · ${say("mapping_version", { n: row.version })}`}
            </span>
            {may && (
              <Popconfirm
                title={say("mapping_undo_sure")}
                okText={say("mapping_undo")}
                cancelText={say("back")}
                onConfirm={() => undo.mutate(row.id)}
              >
                <Button size="small" loading={undo.isPending && undo.variables === row.id}>
                  {say("mapping_undo")}
                </Button>
              </Popconfirm>
            )}
          </li>
        ))}
      </ul>
    </Panel>
  );
}
