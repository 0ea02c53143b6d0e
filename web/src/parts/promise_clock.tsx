/** One promise as a running countdown: what it is, whose it is, what is left of it. */
import { Tooltip } from "antd";
import { useNow } from "../clock";
import { read } from "../promise";
import { useSettings, useWords } from "../settings";
import type { PromiseClock } from "../shapes";
import { countdown, moment } from "../time";
import type { Key } from "../words";

/** Returns the word for whose promise it is: ours alone, the contract's or the law's. */
export function origin_key(origin: string): Key {
  if (origin.startsWith("internal")) return "internal_target";
  return origin.startsWith("law") ? "legal" : "contractual";
}

const STATE_KEYS: Record<string, Key> = {
  idle: "idle",
  running: "running",
  held: "held",
  overdue: "overdue",
  met: "met",
  missed: "missed",
  waived: "waived",
  void: "void",
};

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
            ? say(STATE_KEYS[promise.state] ?? "unknown")
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
  const { say } = useWords();
  const { language } = useSettings();
  const key = origin_key(promise.origin);
  return (
    <>
      <span className={`origin ${key}`} lang={language === "zh" ? "zh-CN" : "en"}>
        {say(key)}
      </span>
      {promise.provisional && (
        <Tooltip title={say("provisional")}>
          <span className="origin provisional" aria-label={say("provisional")}>
            ≈
          </span>
        </Tooltip>
      )}
    </>
  );
}
