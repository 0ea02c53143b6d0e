/** The devices: a table on a desk, cards on a phone. */
import { Button } from "antd";
import { useState } from "react";
import { useNow } from "../clock";
import { useOpened } from "../opened";
import { useDevices } from "../queries";
import { useWords } from "../settings";
import { state_of, STATES, type DeviceRow } from "../shapes";
import { age } from "../time";
import { Hint } from "./hint";
import { Panel } from "./panel";
import { StateTag } from "./states";
import { Trouble } from "./trouble";
import { Waiting } from "./waiting";

/** What the tile of silent devices chooses; it is no NE 107 state. */
export const SILENT = "SILENT";

export function DevicesPanel() {
  const { say } = useWords();
  const { state, choose_state } = useOpened();
  const reset = state && (
    <Button size="small" onClick={() => choose_state(null)}>
      {say("all_devices")}
    </Button>
  );
  const chosen = state === SILENT ? say("silent") : state && say(state_of(state));
  const title = chosen ? `${say("devices")} · ${chosen}` : say("devices");
  return (
    <Panel title={title} extra={reset} id="devices">
      <DeviceTable state={state} />
    </Panel>
  );
}

const CALM_SHOWN = 6;

function DeviceTable({ state }: { state: string | null }) {
  const { say } = useWords();
  const devices = useDevices(state === SILENT ? null : state);
  const [all, show_all] = useState(false);
  if (!devices.data) {
    if (!devices.isError) return <Waiting rows={8} />;
    return <Trouble error={devices.error} retry={() => void devices.refetch()} />;
  }
  const loaded = devices.data.pages.flatMap((page) => page.items);
  const items = worst_first(state === SILENT ? loaded.filter((device) => device.silent) : loaded);
  if (items.length === 0) {
    return state ? (
      <Hint title={say("no_devices_in_state")} how={say("no_devices_in_state_how")} />
    ) : (
      <Hint title={say("no_devices")} how={say("no_devices_how")} />
    );
  }
  const first = all || state ? items.length : items.filter(needs_attention).length + CALM_SHOWN;
  const shown = items.slice(0, first);
  return (
    <>
      <table className="rows">
        <thead>
          <tr>
            <th>
              {say("state")} · {say("worst_component")}
            </th>
            <th>{say("device")}</th>
            <th>{say("site")}</th>
            <th>{say("last_seen")}</th>
            <th>{say("ticket")}</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((device) => (
            <Row key={device.id} device={device} />
          ))}
        </tbody>
      </table>
      {shown.length < items.length && (
        <Button type="link" block onClick={() => show_all(true)}>
          {say("show_all_devices", { n: items.length })}
        </Button>
      )}
      {shown.length === items.length && devices.hasNextPage && (
        <Button
          type="link"
          block
          loading={devices.isFetchingNextPage}
          onClick={() => void devices.fetchNextPage()}
        >
          {say("more")}
        </Button>
      )}
    </>
  );
}

function needs_attention(device: DeviceRow): boolean {
  return device.silent || state_of(device.state) !== "NORMAL";
}

/** Returns the devices in the order of their states, silent ones before the rest of a state. */
function worst_first(devices: DeviceRow[]): DeviceRow[] {
  const rank = (device: DeviceRow) => 2 * STATES.indexOf(state_of(device.state)) + (device.silent ? 0 : 1);
  return [...devices].sort((a, b) => rank(a) - rank(b) || a.id.localeCompare(b.id));
}

function Row({ device }: { device: DeviceRow }) {
  const { pick } = useWords();
  const { open_device, open_ticket } = useOpened();
  return (
    <tr onClick={() => open_device(device.id)}>
      <td className="cell-state">
        <StateTag state={device.state} />
        {device.component && <span className="muted">{pick(device.component_title)}</span>}
      </td>
      <td className="cell-device">
        <button type="button" className="link" onClick={() => open_device(device.id)}>
          {device.id}
        </button>
        <span className="muted">{pick(device.model_title)}</span>
      </td>
      <td className="cell-site">{pick(device.site_title)}</td>
      <td className="cell-seen">
        <LastSeen device={device} />
      </td>
      <td className="cell-ticket">
        {device.ticket && (
          <button
            type="button"
            className="link"
            onClick={(click) => {
              click.stopPropagation();
              open_ticket(device.ticket!);
            }}
          >
            {device.ticket}
          </button>
        )}
      </td>
    </tr>
  );
}

export function LastSeen({ device }: { device: Pick<DeviceRow, "last_seen_at" | "silent"> }) {
  const { say, language } = useWords();
  const now = useNow();
  const text = device.last_seen_at ? age(device.last_seen_at, now, language) : say("never_seen");
  if (!device.silent) return <span className="muted">{text}</span>;
  return (
    <span className="over">
      {say("silent")} · {text}
    </span>
  );
}
