/** Sign in. */
import LoginOutlined from "@ant-design/icons/LoginOutlined";
import { Alert, Button, Form, Input } from "antd";
import { useEffect } from "react";
import { Navigate, useLocation } from "react-router";
import { problem_behind } from "../client";
import { Trouble } from "../parts/trouble";
import { useHints, useSession, useSignIn } from "../queries";
import { useWords } from "../settings";
import { Brand, ColourSwitch, LanguageSwitch } from "../shell";
import type { LoginHint } from "../shapes";

type Fields = { login: string; password: string };

export default function LoginPage() {
  const { say } = useWords();
  const session = useSession();
  const from = (useLocation().state as { from?: string } | null)?.from ?? "/";
  const [form] = Form.useForm<Fields>();
  const sign_in = useSignIn();
  const enter = ({ login, password }: LoginHint) => {
    form.setFieldsValue({ login, password });
    sign_in.mutate({ login, password });
  };
  useEffect(() => {
    document.title = `${say("sign_in")} · ${say("product")}`;
  }, [say]);
  if (session.data) return <Navigate to={from} replace />;
  return (
    <main className="login">
      <div className="login-top">
        <LanguageSwitch />
        <ColourSwitch />
      </div>
      <div className="login-card">
        <h1>
          <Brand />
        </h1>
        <p className="muted">{say("promise")}</p>
        <Form
          form={form}
          layout="vertical"
          requiredMark={false}
          onFinish={(fields) => sign_in.mutate(fields)}
        >
          <Form.Item
            name="login"
            label={say("login")}
            rules={[{ required: true, message: say("login_missing") }]}
          >
            <Input autoComplete="username" autoFocus size="large" />
          </Form.Item>
          <Form.Item
            name="password"
            label={say("password")}
            rules={[{ required: true, message: say("password_missing") }]}
          >
            <Input.Password autoComplete="current-password" size="large" />
          </Form.Item>
          {sign_in.isError && <Refused error={sign_in.error} />}
          <Button
            block
            type="primary"
            size="large"
            htmlType="submit"
            icon={<LoginOutlined />}
            loading={sign_in.isPending}
          >
            {say("sign_in")}
          </Button>
        </Form>
        <Hints enter={enter} busy={sign_in.isPending} />
      </div>
    </main>
  );
}

function Refused({ error }: { error: unknown }) {
  const { say } = useWords();
  if (problem_behind(error).status !== 401) return <Trouble error={error} />;
  return <Alert type="error" showIcon role="alert" className="trouble" title={say("wrong_login")} />;
}

function Hints({ enter, busy }: { enter: (hint: LoginHint) => void; busy: boolean }) {
  const { say, pick } = useWords();
  const hints = useHints().data?.items ?? [];
  if (hints.length === 0) return null;
  return (
    <section className="login-hints" aria-label={say("demo_logins")}>
      <h2>{say("demo_logins")}</h2>
      <p className="muted">{say("demo_logins_how")}</p>
      {hints.map((hint) => (
        <Button key={hint.login} onClick={() => enter(hint)} disabled={busy} block>
          <span>{pick(hint.title)}</span>
          <code>{hint.login}</code>
        </Button>
      ))}
    </section>
  );
}
