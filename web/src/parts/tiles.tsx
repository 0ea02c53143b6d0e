/** How many devices are in which NE 107 state; a click shows them. */
import { useOverview } from "../queries";
import { useWords } from "../settings";
import { STATES } from "../shapes";
import { SILENT } from "./devices";
import { StateMark } from "./states";
import { Trouble } from "./trouble";

type Props = { chosen: string | null; choose: (state: string | null) => void };

export function Tiles({ chosen, choose }: Props) {
  const { say } = useWords();
  const overview = useOverview();
  if (overview.isError && !overview.data) return <Trouble error={overview.error} retry={() => void overview.refetch()} />;
  const counts = overview.data;
  return (
    <section className="tiles" aria-label={say("device_health")} aria-busy={overview.isPending}>
      <button type="button" className="tile" aria-pressed={chosen === null} onClick={() => choose(null)}>
        <span className="tile-title">{say("all_devices")}</span>
        <span className="tile-count">{counts?.devices ?? "–"}</span>
      </button>
      {STATES.map((state) => (
        <button
          key={state}
          type="button"
          className={`tile ${state} ${counts?.states[state] ? "" : "zero"}`}
          aria-pressed={chosen === state}
          onClick={() => choose(chosen === state ? null : state)}
        >
          <span className="tile-title">
            <StateMark state={state} />
            {say(state)}
          </span>
          <span className="tile-count">{counts ? (counts.states[state] ?? 0) : "–"}</span>
        </button>
      ))}
      <button
        type="button"
        className={`tile ${counts?.silent ? "SILENT" : "zero"}`}
        aria-pressed={chosen === SILENT}
        title={say("silent_what")}
        onClick={() => choose(chosen === SILENT ? null : SILENT)}
      >
        <span className="tile-title">{say("silent")}</span>
        <span className="tile-count">{counts?.silent ?? "–"}</span>
      </button>
    </section>
  );
}
