/** An error, told as what to do now. */
import { Alert, Button } from "antd";
import { problem_behind } from "../client";
import { useWords } from "../settings";
import type { Key } from "../words";

const DEEDS: Record<number, Key> = {
  0: "do_network",
  401: "do_401",
  403: "do_403",
  404: "do_404",
  409: "do_409",
  422: "do_422",
  429: "do_429",
};

/** Returns the sentence that says what to do about an answer with this status. */
export function deed_for(status: number): Key {
  return DEEDS[status] ?? (status >= 400 && status < 500 ? "do_422" : "do_500");
}

export function Trouble({ error, retry }: { error: unknown; retry?: () => void }) {
  const { say } = useWords();
  const problem = problem_behind(error);
  return (
    <Alert
      type={problem.status === 409 ? "warning" : "error"}
      showIcon
      role="alert"
      className="trouble"
      title={problem.title || say("failed")}
      description={
        <>
          {problem.detail && <p>{problem.detail}</p>}
          {problem.errors && problem.errors.length > 0 && (
            <ul>
              {problem.errors.map((e) => (
                <li key={e.field + e.message}>
                  <code>{e.field}</code> {e.message}
                </li>
              ))}
            </ul>
          )}
          <p>{say(deed_for(problem.status))}</p>
        </>
      }
      action={retry && <Button onClick={retry}>{say("reload")}</Button>}
    />
  );
}
