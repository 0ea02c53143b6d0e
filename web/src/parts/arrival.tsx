/** When somebody comes or came, and whether that is in time. */
import { useNow } from "../clock";
import { useWords } from "../settings";
import type { Visit } from "../shapes";
import { moment, span } from "../time";

const UNDER_WAY = new Set(["planned", "offered", "accepted", "travelling"]);

export function Arrival({ visit }: { visit: Visit }) {
  const { say, language } = useWords();
  const now = useNow();
  if (!visit.arrive_at) return null;
  const coming = UNDER_WAY.has(visit.state);
  const late = visit.late_s ?? 0;
  return (
    <>
      <span>
        {say(coming ? "arrives" : "arrived", { at: moment(visit.arrive_at, now, language) })}
      </span>
      {coming && late >= 60 && <span className="over">{say("late", { t: span(late * 1000, language) })}</span>}
    </>
  );
}
