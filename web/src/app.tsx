/** The pages and what they share: language, colours, the query cache, who is signed in. */
import { QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { App as Frame, ConfigProvider, theme } from "antd";
import en_GB from "antd/locale/en_GB";
import zh_CN from "antd/locale/zh_CN";
import { lazy, Suspense, type ReactNode } from "react";
import { BrowserRouter, Link, Navigate, Route, Routes, useLocation } from "react-router";
import { ProblemError } from "./client";
import { Caught } from "./parts/caught";
import { Hint } from "./parts/hint";
import { Waiting } from "./parts/waiting";
import { useSession } from "./queries";
import { SettingsProvider, useSettings, useWords } from "./settings";
import { Shell } from "./shell";
import { Trouble } from "./parts/trouble";

const LoginPage = lazy(() => import("./pages/login"));
const TodayPage = lazy(() => import("./pages/today"));
const QuarantinePage = lazy(() => import("./pages/quarantine"));

const FONT =
  '-apple-system, "Segoe UI", Roboto, "PingFang SC", "Microsoft YaHei", "Noto Sans SC", "Noto Sans CJK SC", sans-serif';

const queries: QueryClient = new QueryClient({
  queryCache: new QueryCache({
    onError: (error, query) => {
      const signed_out = error instanceof ProblemError && error.problem.status === 401;
      if (signed_out && query.queryKey[0] !== "session") queries.setQueryData(["session"], null);
    },
  }),
  defaultOptions: {
    // A server on this machine or in the house answers also without the internet.
    mutations: { networkMode: "always" },
    queries: {
      networkMode: "always",
      staleTime: 2000,
      retry: (count, error) => count < 2 && !(error instanceof ProblemError && refused(error)),
    },
  },
});

function refused(error: ProblemError): boolean {
  return error.problem.status >= 400 && error.problem.status < 500;
}

export function App() {
  return (
    <SettingsProvider>
      <QueryClientProvider client={queries}>
        <Themed>
          <BrowserRouter>
            <Suspense fallback={<Waiting />}>
              <Routes>
                <Route path="/login" element={<LoginPage />} />
                <Route path="/" element={page(<TodayPage />)} />
                <Route path="/quarantine" element={page(<QuarantinePage />)} />
                <Route path="*" element={page(<NotFound />)} />
              </Routes>
            </Suspense>
          </BrowserRouter>
        </Themed>
      </QueryClientProvider>
    </SettingsProvider>
  );
}

function page(content: ReactNode): ReactNode {
  return (
    <SignedIn>
      <Shell>
        <Caught>
          <Suspense fallback={<Waiting />}>{content}</Suspense>
        </Caught>
      </Shell>
    </SignedIn>
  );
}

function Themed({ children }: { children: ReactNode }) {
  const { language, dark } = useSettings();
  const colours = dark
    ? {
        colorPrimary: "#3fbfa5",
        colorError: "#ff8a82",
        colorBgLayout: "#0d1318",
        colorBgContainer: "#141b22",
        colorBgElevated: "#18212a",
        colorBorderSecondary: "#25303a",
      }
    : { colorPrimary: "#0f766e", colorError: "#c2201c", colorBgLayout: "#f3f5f8" };
  return (
    <ConfigProvider
      button={{ autoInsertSpace: false }}
      locale={language === "zh" ? zh_CN : en_GB}
      theme={{
        algorithm: dark ? theme.darkAlgorithm : theme.defaultAlgorithm,
        token: { ...colours, borderRadius: 8, fontFamily: FONT, colorLink: colours.colorPrimary },
        components: dark ? { Button: { primaryColor: "#06201b", dangerColor: "#2b0705" } } : {},
      }}
    >
      <Frame component={false} message={{ maxCount: 3, top: 64 }}>
        {children}
      </Frame>
    </ConfigProvider>
  );
}

function SignedIn({ children }: { children: ReactNode }) {
  const session = useSession();
  const here = useLocation();
  if (session.isPending) return <Waiting />;
  if (session.isError) return <Trouble error={session.error} retry={() => void session.refetch()} />;
  if (!session.data) return <Navigate to="/login" replace state={{ from: here.pathname + here.search }} />;
  return children;
}

function NotFound() {
  const { say } = useWords();
  return <Hint title={say("not_found")} action={<Link to="/">{say("back_to_today")}</Link>} />;
}
