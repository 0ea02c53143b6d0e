/** A button that lets messages through again, then how far that is and what became of them. */
import { Button, Progress } from "antd";
import { useReplay, useReplayed } from "../queries";
import { useWords } from "../settings";
import type { WhichMessages } from "../shapes";
import { Trouble } from "./trouble";

const SHOWN = 5;

type Props = { which: WhichMessages; label: string; idle?: boolean };

export function Replaying({ which, label, idle = false }: Props) {
  const ask = useReplay();
  return (
    <div className="replaying">
      {!idle && (
        <Button type="primary" loading={ask.isPending} onClick={() => ask.mutate(which)}>
          {label}
        </Button>
      )}
      {ask.isError && <Trouble error={ask.error} />}
      {ask.data && <Course key={ask.data.id} id={ask.data.id} />}
    </div>
  );
}

function Course({ id }: { id: string }) {
  const { say, pick } = useWords();
  const replay = useReplayed(id);
  if (replay.isError) return <Trouble error={replay.error} />;
  if (!replay.data) return null;
  const { state, state_title, done, total, stored, duplicate, refused, gone, results } = replay.data;
  const still = results.filter((one) => one.outcome === "refused");
  return (
    <div className="course" role="status">
      <Progress
        percent={total ? Math.round((100 * Math.min(done, total)) / total) : 100}
        status={state !== "done" ? "active" : refused ? "exception" : "success"}
        aria-label={pick(state_title)}
      />
      <p>
        {pick(state_title)} · {say("replay_counts", { stored, duplicate, refused, gone })}
      </p>
      {state === "waiting" && <p className="muted">{say("replay_waiting")}</p>}
      {still.slice(0, SHOWN).map((one) => (
        <p key={one.id} className="refused-why">
          {one.why}
        </p>
      ))}
    </div>
  );
}
