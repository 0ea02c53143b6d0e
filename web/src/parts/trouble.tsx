/** An error, told as what to do now. */
import { Alert, Button } from "antd";
import { problem_behind } from "../client";
import { useWords } from "../settings";
import type { Key } from "../words";

type Told = { title: Key; deed: Key };

const TOLD: Record<number, Told> = {
  0: { title: "title_0", deed: "do_network" },
  401: { title: "title_401", deed: "do_401" },
  403: { title: "title_403", deed: "do_403" },
  404: { title: "title_404", deed: "do_404" },
  409: { title: "title_409", deed: "do_409" },
  422: { title: "title_422", deed: "do_422" },
  429: { title: "title_429", deed: "do_429" },
};

/** Returns how an answer with this status is called, and what to do about it. */
export function told_of(status: number): Told {
  if (TOLD[status]) return TOLD[status];
  if (status >= 400 && status < 500) return TOLD[422]!;
  return { title: status >= 500 ? "title_500" : "failed", deed: "do_500" };
}

export function Trouble({ error, retry }: { error: unknown; retry?: () => void }) {
  const { say } = useWords();
  const problem = problem_behind(error);
  const { title, deed } = told_of(problem.status);
  const errors = problem.errors ?? [];
  return (
    <Alert
      type={problem.status === 409 ? "warning" : "error"}
      showIcon
      role="alert"
      className="trouble"
      title={say(title)}
      description={
        <>
          {errors.length === 0 && <p>{problem.detail ?? problem.title}</p>}
          {errors.length > 0 && (
            <ul>
              {errors.map((e) => (
                <li key={e.field + e.message}>
                  <code>{e.field}</code> {e.message}
                </li>
              ))}
            </ul>
          )}
          <p>{say(deed)}</p>
        </>
      }
      action={retry && <Button onClick={retry}>{say("reload")}</Button>}
    />
  );
}
