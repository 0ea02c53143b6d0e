/** The frame of every page: where I am, what time it is there, whether it is live, who I am. */
import LogoutOutlined from "@ant-design/icons/LogoutOutlined";
import QuestionCircleOutlined from "@ant-design/icons/QuestionCircleOutlined";
import MoonOutlined from "@ant-design/icons/MoonOutlined";
import SunOutlined from "@ant-design/icons/SunOutlined";
import { Button, Tooltip } from "antd";
import { useEffect, type ReactNode } from "react";
import { NavLink, useLocation, useNavigate } from "react-router";
import { useNow } from "./clock";
import { useIsLive, useLive } from "./live";
import { useClock, useOverview, useSession, useSignOut } from "./queries";
import { useSettings, useWords } from "./settings";
import { day, second } from "./time";

export function Shell({ children }: { children: ReactNode }) {
  const { say } = useWords();
  const { pathname } = useLocation();
  useLive();
  useEffect(() => {
    const page = say(pathname === "/quarantine" ? "quarantine" : "today");
    document.title = `${page} · ${say("product")}`;
  }, [pathname, say]);
  return (
    <>
      <a className="skip" href="#content">
        {say("skip")}
      </a>
      <header className="shell">
        <Brand />
        <Pages />
        <div className="shell-right">
          <ServerTime />
          <LiveBadge />
          <span className="shell-buttons">
            <LanguageSwitch />
            <ColourSwitch />
            <ShowAround />
            <WhoAmI />
          </span>
        </div>
      </header>
      <main id="content">{children}</main>
    </>
  );
}

export function Brand() {
  const { say } = useWords();
  return (
    <span className="brand">
      <img src="/icon.svg" alt="" width={26} height={26} />
      {say("product")}
    </span>
  );
}

function Pages() {
  const { say } = useWords();
  const quarantined = useOverview().data?.quarantined ?? 0;
  return (
    <nav className="pages">
      <NavLink to="/" end>
        {say("today")}
      </NavLink>
      <NavLink to="/quarantine">
        {say("quarantine")}
        {quarantined > 0 && <span className="count">{quarantined > 999 ? "999+" : quarantined}</span>}
      </NavLink>
    </nav>
  );
}

function ServerTime() {
  const { say, language } = useWords();
  const clock = useClock().data;
  const now = useNow();
  if (!clock) return null;
  return (
    <span className="server-time">
      {clock.demo && <span className="chip simulated">{say("simulated")}</span>}
      <span className="muted day">{day(now, language)}</span> <time>{second(now, language)}</time>
      {clock.speed !== 1 && (
        <Tooltip title={say("simulated_why", { n: clock.speed })}>
          <span className="chip">{say("speed", { n: clock.speed })}</span>
        </Tooltip>
      )}
    </span>
  );
}

function LiveBadge() {
  const { say } = useWords();
  const live = useIsLive();
  return (
    <Tooltip title={say(live ? "live_why" : "offline_why")}>
      <span className={live ? "live" : "live lost"} role="status">
        <i aria-hidden />
        {say(live ? "live" : "offline")}
      </span>
    </Tooltip>
  );
}

export function LanguageSwitch() {
  const { say, language } = useWords();
  const { set_language } = useSettings();
  return (
    <Button
      type="text"
      aria-label={say("language_label")}
      onClick={() => set_language(language === "zh" ? "en" : "zh")}
    >
      {say("language")}
    </Button>
  );
}

export function ColourSwitch() {
  const { say } = useWords();
  const { dark, set_dark } = useSettings();
  const title = say(dark ? "theme_light" : "theme_dark");
  return (
    <Button
      type="text"
      aria-label={title}
      title={title}
      icon={dark ? <SunOutlined /> : <MoonOutlined />}
      onClick={() => set_dark(!dark)}
    />
  );
}

function ShowAround() {
  const { say } = useWords();
  const go = useNavigate();
  return (
    <Button
      type="text"
      aria-label={say("tour")}
      title={say("tour")}
      icon={<QuestionCircleOutlined />}
      onClick={() => void go("/?tour")}
    />
  );
}

function WhoAmI() {
  const { say, pick } = useWords();
  const session = useSession().data;
  const sign_out = useSignOut();
  return (
    <>
      <span className="who" title={pick(session?.role_title)}>
        {pick(session?.title) || session?.login}
      </span>
      <Button
        type="text"
        aria-label={say("sign_out")}
        title={say("sign_out")}
        icon={<LogoutOutlined />}
        onClick={() => sign_out.mutate()}
      />
    </>
  );
}
