/** One refused message: why, its payload, what it would become, and what can be done about it. */
import { App, Button, Select, Space } from "antd";
import { useState, type ReactNode } from "react";
import { useNow } from "../clock";
import { useOpened } from "../opened";
import { pieces, pretty } from "../payload";
import { useDiscard, usePreview, useRefused, useSession } from "../queries";
import { useWords } from "../settings";
import type { MappingDraft, Refused } from "../shapes";
import { moment } from "../time";
import { quantity } from "../units";
import { Replaying } from "./replaying";
import { Sheet } from "./sheet";
import { Teach } from "./teach";
import { Trouble } from "./trouble";

const MAY_TEACH = ["TC", "AD"];

export default function RefusedDrawer({ id }: { id: string }) {
  const { pick } = useWords();
  const message = useRefused(id);
  return (
    <Sheet name={message.data?.device || id} words={pick(message.data?.reason_title)} query={message}>
      {(data) => <Body message={data} />}
    </Sheet>
  );
}

function Body({ message }: { message: Refused }) {
  const { say } = useWords();
  const may = MAY_TEACH.includes(useSession().data?.role ?? "");
  const [draft, set_draft] = useState<MappingDraft | null>(null);
  return (
    <>
      <Facts message={message} />
      <p className="refused-why">{message.why}</p>
      <Part title={say("refused_payload")}>
        <Payload message={message} />
      </Part>
      {may && (
        <Part title={say("teach")}>
          <Teach message={message} change={set_draft} />
        </Part>
      )}
      <Part title={say(draft ? "refused_would_become" : "refused_would_be")}>
        <Becomes id={message.id} draft={draft} />
      </Part>
      {may && (
        <Part title={say("refused_do")}>
          <Replaying which={{ ids: [message.id] }} label={say("replay")} />
          <Discard message={message} />
        </Part>
      )}
    </>
  );
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="part">
      <h3>{title}</h3>
      {children}
    </section>
  );
}

function Facts({ message }: { message: Refused }) {
  const { say, pick, language } = useWords();
  const now = useNow();
  return (
    <div className="facts-line">
      <span className="chip state-open">{pick(message.reason_title)}</span>
      <code className="cell-topic">{message.topic}</code>
      {message.sender && (
        <span className="muted">
          {say("quarantine_sender")} {message.sender}
        </span>
      )}
      <span className="muted">
        {say("quarantine_at")} {moment(message.at, now, language)}
      </span>
      <span className="muted">{say("bytes", { n: message.size })}</span>
    </div>
  );
}

function Payload({ message }: { message: Refused }) {
  const { say } = useWords();
  const text = pretty(message.payload);
  return (
    <>
      <pre className="payload-whole" tabIndex={0} aria-label={say("refused_payload")}>
        {pieces(text, message.wrong).map((piece, place) =>
          piece.wrong ? <mark key={place}>{piece.text}</mark> : <span key={place}>{piece.text}</span>,
        )}
      </pre>
      {!message.whole && <p className="muted">{say("refused_cut")}</p>}
    </>
  );
}

function Becomes({ id, draft }: { id: string; draft: MappingDraft | null }) {
  const { say, pick } = useWords();
  const seen = usePreview(id, draft);
  if (seen.isError) return <Trouble error={seen.error} />;
  if (!seen.data) return <p className="muted">…</p>;
  const { readings, notes, refused } = seen.data;
  return (
    <div aria-live="polite">
      {readings.length > 0 && (
        <ul className="becomes">
          {readings.slice(0, 20).map((one, place) => (
            <li key={place}>
              <span>{pick(one.title)}</span>
              <b>{quantity(one.value, one.unit)}</b>
              <code className="muted">{one.metric}</code>
            </li>
          ))}
        </ul>
      )}
      {notes > 0 && <p>{say("refused_note")}</p>}
      {refused ? (
        <p className="refused-why">
          {say("refused_still")} {refused}
        </p>
      ) : (
        <p className="good">{say("refused_fine")}</p>
      )}
    </div>
  );
}

function Discard({ message }: { message: Refused }) {
  const { say, pick } = useWords();
  const { close } = useOpened();
  const app = App.useApp();
  const discard = useDiscard();
  const [reason, choose] = useState<string | null>(null);
  const done = () => {
    void app.message.success(say("discarded"));
    close();
  };
  return (
    <Space wrap className="discard">
      <Select
        className="discard-why"
        placeholder={say("discard_why")}
        aria-label={say("discard_why")}
        value={reason}
        onChange={choose}
        options={Object.entries(message.discards).map(([value, title]) => ({ value, label: pick(title) }))}
      />
      <Button
        danger
        disabled={!reason}
        loading={discard.isPending}
        onClick={() => reason && discard.mutate({ ids: [message.id], reason }, { onSuccess: done })}
      >
        {say("discard")}
      </Button>
      {discard.isError && <Trouble error={discard.error} />}
    </Space>
  );
}
