/** NE 107 states: a colour, a shape and a word, so that none of the three is needed alone. */
import type { ReactNode } from "react";
import { useWords } from "../settings";
import { state_of, type State } from "../shapes";

const MARKS: Record<State, ReactNode> = {
  FAILURE: (
    <>
      <circle cx="8" cy="8" r="7" />
      <path d="M5.2 5.2l5.6 5.6M10.8 5.2l-5.6 5.6" />
    </>
  ),
  MAINTENANCE_REQUIRED: (
    <>
      <rect x="2.6" y="2.6" width="10.8" height="10.8" rx="1.5" transform="rotate(45 8 8)" />
      <path d="M8 4.8v4M8 11.1v.1" />
    </>
  ),
  OFF_SPEC: (
    <>
      <path className="fill" d="M8 1.4 15 14H1z" />
      <path d="M8 6v3.6M8 11.9v.1" />
    </>
  ),
  CHECK_FUNCTION: (
    <>
      <path className="fill" d="M1 2h14L8 14.6z" />
      <path d="M8 4.4v3.6M8 10.3v.1" />
    </>
  ),
  NORMAL: (
    <>
      <circle cx="8" cy="8" r="7" />
      <path d="M4.8 8.3l2.2 2.2 4.2-4.6" />
    </>
  ),
};

export function StateMark({ state }: { state: string }) {
  const known = state_of(state);
  return (
    <svg className={`mark ${known}`} viewBox="0 0 16 16" width="16" height="16" aria-hidden>
      {MARKS[known]}
    </svg>
  );
}

export function StateTag({ state }: { state: string }) {
  const { say } = useWords();
  const known = state_of(state);
  return (
    <span className={`state ${known}`}>
      <StateMark state={known} />
      {say(known)}
    </span>
  );
}
