/** What the pages ask the API, one hook per question; the keys are what live events make stale. */
import {
  keepPreviousData,
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { api, body, ProblemError } from "./client";
import { server_now, set_clock } from "./clock";
import { useIsLive } from "./live";
import type { MappingDraft, Session, WhichMessages } from "./shapes";

const PAGE = 100;

const QUICK_S = 5;
const FAST = 10;

/** Ages and counts change without an event: quickly in a fast demo, and all without events. */
function useEvery(calm_s: number): number {
  const fast = (useClock().data?.speed ?? 1) >= FAST;
  return useIsLive() && !fast ? calm_s * 1000 : Math.min(calm_s, QUICK_S) * 1000;
}

export function useSession() {
  return useQuery({
    queryKey: ["session"],
    queryFn: async (): Promise<Session | null> => {
      try {
        return await body(api.GET("/api/v1/session"));
      } catch (error) {
        if (error instanceof ProblemError && error.problem.status === 401) return null;
        throw error;
      }
    },
    staleTime: Infinity,
  });
}

export function useSignIn() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (credentials: { login: string; password: string }) =>
      body(api.POST("/api/v1/session", { body: credentials })),
    onSuccess: (session) => queries.setQueryData(["session"], session),
  });
}

export function useSignOut() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: () => body(api.DELETE("/api/v1/session")),
    onSettled: () => {
      queries.clear();
      queries.setQueryData(["session"], null);
    },
  });
}

export function useHints() {
  return useQuery({
    queryKey: ["hints"],
    queryFn: () => body(api.GET("/api/v1/session/hints")),
    retry: false,
  });
}

export function useClock() {
  return useQuery({
    queryKey: ["clock"],
    queryFn: async () => {
      const clock = await body(api.GET("/api/v1/clock"));
      set_clock(clock.now, clock.speed);
      return clock;
    },
    refetchInterval: 15_000,
  });
}

export function useOverview() {
  const refetchInterval = useEvery(15);
  return useQuery({
    queryKey: ["overview"],
    queryFn: () => body(api.GET("/api/v1/overview")),
    refetchInterval,
  });
}

export function useDevices(state: string | null) {
  const refetchInterval = useEvery(15);
  return useInfiniteQuery({
    queryKey: ["devices", state],
    queryFn: ({ pageParam }) => {
      const after = pageParam ?? undefined;
      const query = { state: state ?? undefined, sort: "worst" as const, limit: PAGE, after };
      return body(api.GET("/api/v1/devices", { params: { query } }));
    },
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    refetchInterval,
    placeholderData: keepPreviousData,
  });
}

export function useDevice(id: string, enabled = true) {
  const refetchInterval = useEvery(10);
  return useQuery({
    queryKey: ["device", id],
    queryFn: () => body(api.GET("/api/v1/devices/{id}", { params: { path: { id } } })),
    enabled,
    refetchInterval,
  });
}

export function useSeries(id: string, metrics: string[], span_ms: number) {
  const refetchInterval = useEvery(10);
  return useQuery({
    queryKey: ["series", id, metrics.join(","), span_ms],
    queryFn: () => {
      const to = server_now();
      const query = {
        metrics: metrics.join(","),
        from: new Date(to - span_ms).toISOString(),
        to: new Date(to).toISOString(),
        points: 400,
      };
      return body(api.GET("/api/v1/devices/{id}/series", { params: { path: { id }, query } }));
    },
    enabled: metrics.length > 0,
    refetchInterval,
  });
}

export function useTickets(state: string | null) {
  const refetchInterval = useEvery(60);
  return useInfiniteQuery({
    queryKey: ["tickets", state],
    queryFn: ({ pageParam }) => {
      const query = { state: state ?? undefined, limit: PAGE, after: pageParam ?? undefined };
      return body(api.GET("/api/v1/tickets", { params: { query } }));
    },
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    refetchInterval,
    placeholderData: keepPreviousData,
  });
}

export function useTicket(id: string) {
  const refetchInterval = useEvery(60);
  return useQuery({
    queryKey: ["ticket", id],
    queryFn: () => body(api.GET("/api/v1/tickets/{id}", { params: { path: { id } } })),
    refetchInterval,
  });
}

export type Deed = { event: string; version: number; reason?: string; outcome?: string };

export function useTicketAction(id: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (deed: Deed) =>
      body(api.POST("/api/v1/tickets/{id}/actions", { params: { path: { id } }, body: deed })),
    onSettled: () => {
      for (const key of ["ticket", "tickets", "plan", "overview"]) {
        void queries.invalidateQueries({ queryKey: [key] });
      }
    },
  });
}

export function usePlan() {
  const refetchInterval = useEvery(60);
  return useQuery({
    queryKey: ["plan"],
    queryFn: () => body(api.GET("/api/v1/plan")),
    refetchInterval,
  });
}

export function useQuarantine(reason: string | null) {
  const refetchInterval = useEvery(15);
  return useInfiniteQuery({
    queryKey: ["quarantine", reason],
    queryFn: ({ pageParam }) => {
      const query = { reason: reason ?? undefined, limit: PAGE, after: pageParam ?? undefined };
      return body(api.GET("/api/v1/quarantine", { params: { query } }));
    },
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    refetchInterval,
    placeholderData: keepPreviousData,
  });
}

export function useRefused(id: string) {
  return useQuery({
    queryKey: ["refused", id],
    queryFn: () => body(api.GET("/api/v1/quarantine/{id}", { params: { path: { id } } })),
    staleTime: Infinity,
    retry: false,
  });
}

export function usePreview(id: string, mapping: MappingDraft | null) {
  return useQuery({
    queryKey: ["preview", id, mapping],
    queryFn: () =>
      body(api.POST("/api/v1/quarantine/{id}/preview", { params: { path: { id } }, body: { mapping } })),
    placeholderData: keepPreviousData,
    retry: false,
  });
}

export function useMappings() {
  return useQuery({
    queryKey: ["mappings"],
    queryFn: () => body(api.GET("/api/v1/mappings")),
  });
}

/** Returns a deed on refused messages, after which the answers with `keys` are old. */
function useDeed<Asked, Told>(deed: (asked: Asked) => Promise<Told>, keys: string[]) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: deed,
    onSettled: () => {
      for (const key of keys) void queries.invalidateQueries({ queryKey: [key] });
    },
  });
}

export function useTeach() {
  return useDeed(
    (mapping: MappingDraft) => body(api.PUT("/api/v1/mappings", { body: mapping })),
    ["mappings", "preview"],
  );
}

export function useUnteach() {
  return useDeed(
    (id: string) => body(api.DELETE("/api/v1/mappings/{id}", { params: { path: { id } } })),
    ["mappings", "preview"],
  );
}

export function useDiscard() {
  return useDeed(
    (asked: { ids: string[]; reason: string }) => body(api.POST("/api/v1/quarantine/discards", { body: asked })),
    ["quarantine", "overview"],
  );
}

export function useReplay() {
  return useDeed(
    (which: WhichMessages) => body(api.POST("/api/v1/quarantine/replays", { body: { reason: "", device: "", ...which } })),
    [],
  );
}

/** Returns how far replay `id` has come; when it is done the list is old. */
export function useReplayed(id: string) {
  const queries = useQueryClient();
  return useQuery({
    queryKey: ["replay", id],
    queryFn: async () => {
      const told = await body(api.GET("/api/v1/quarantine/replays/{id}", { params: { path: { id } } }));
      if (told.state === "done") void queries.invalidateQueries({ queryKey: ["quarantine"] });
      return told;
    },
    refetchInterval: (query) => (query.state.data?.state === "done" ? false : 500),
  });
}

export function useDemoModes(enabled: boolean) {
  return useQuery({
    queryKey: ["modes"],
    queryFn: () => body(api.GET("/api/v1/demo/modes")),
    enabled,
    staleTime: Infinity,
  });
}

export function useInject() {
  return useMutation({
    mutationFn: (fault: { device: string; mode: string }) =>
      body(api.POST("/api/v1/demo/faults", { body: fault })),
  });
}
