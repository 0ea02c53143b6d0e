/** Calls the API; whatever goes wrong becomes one kind of error, a problem in words. */
import createClient from "openapi-fetch";
import type { paths } from "./api";
import type { Problem } from "./shapes";

export class ProblemError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.title);
  }
}

export const api = createClient<paths>({ baseUrl: "/", credentials: "same-origin" });

api.use({
  onRequest({ request }) {
    request.headers.set("Accept-Language", document.documentElement.lang);
    return request;
  },
});

type Reply<T> = { data?: T; error?: unknown; response: Response };

/** Returns the body of `reply`; raises ProblemError for an error answer or no answer. */
export async function body<T>(reply: Promise<Reply<T>>): Promise<T> {
  const { data, error, response } = await reply.catch(() => {
    throw new ProblemError({ title: "", status: 0 });
  });
  if (!response.ok) throw new ProblemError(problem_of(error, response.status));
  return data as T;
}

/** Returns what an error answer says, whether or not it is a problem document. */
export function problem_of(error: unknown, status: number): Problem {
  const said = typeof error === "object" && error !== null ? (error as Partial<Problem>) : {};
  const detail = typeof said.detail === "string" ? said.detail : null;
  const errors = Array.isArray(said.errors) ? said.errors : null;
  return { title: typeof said.title === "string" ? said.title : "", status, detail, errors };
}

/** Returns the problem behind any error that a query or a deed may end with. */
export function problem_behind(error: unknown): Problem {
  if (error instanceof ProblemError) return error.problem;
  return { title: error instanceof Error ? error.message : String(error), status: -1 };
}
