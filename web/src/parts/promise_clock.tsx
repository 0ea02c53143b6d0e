/** One promise as a running countdown: what it is, whose it is, what is left of it. */
import { Tooltip } from "antd";
import { useNow } from "../clock";
import { read } from "../promise";
import { useWords } from "../settings";
import type { PromiseClock } from "../shapes";
import { countdown, moment } from "../time";

export function PromiseCountdown({ promise }: { promise: PromiseClock }) {
  const { say, pick, language } = useWords();
  const now = useNow();
  const { tone, left_ms, used } = read(promise, now);
  return (
    <div className={`promise ${tone}`}>
      <div className="promise-line">
        <span className="promise-title">{pick(promise.title)}</span>
        <Origin promise={promise} />
        <span className="promise-left">
          {left_ms === null
            ? pick(promise.state_title)
            : say(left_ms < 0 ? "over" : "left", { t: countdown(left_ms, language) })}
        </span>
      </div>
      {left_ms !== null && (
        <div className="promise-bar" aria-hidden>
          <i style={{ width: `${Math.max(2, used * 100)}%` }} />
        </div>
      )}
      {promise.due && left_ms !== null && (
        <span className="promise-due muted">{say("due_at", { at: moment(promise.due, now, language) })}</span>
      )}
    </div>
  );
}

export function Origin({ promise }: { promise: PromiseClock }) {
  const { say, pick } = useWords();
  return (
    <>
      <span className={`origin ${promise.origin}`}>{pick(promise.origin_title)}</span>
      {promise.provisional && (
        <Tooltip title={say("provisional")}>
          <span className="origin provisional" role="img" aria-label={say("provisional")}>
            ≈
          </span>
        </Tooltip>
      )}
    </>
  );
}
