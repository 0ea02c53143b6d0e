/** The devices: a table on a desk, cards on a phone. */
import { Button } from "antd";
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

export function DevicesPanel() {
  const { say } = useWords();
  const { state, choose_state } = useOpened();
  const reset = state && (
    <Button size="small" onClick={() => choose_state(null)}>
      {say("all_devices")}
    </Button>
  );
  const title = state ? `${say("devices")} · ${say(state_of(state))}` : say("devices");
  return (
    <Panel title={title} extra={reset} id="devices">
      <DeviceTable state={state} />
    </Panel>
  );
}

function DeviceTable({ state }: { state: string | null }) {
  const { say } = useWords();
  const devices = useDevices(state);
  if (devices.isPending) return <Waiting rows={8} />;
  if (devices.isError) return <Trouble error={devices.error} retry={() => void devices.refetch()} />;
  const items = devices.data.pages.flatMap((page) => page.items);
  if (items.length === 0) {
    return state ? (
      <Hint title={say("no_devices_in_state")} how={say("no_devices_in_state_how")} />
    ) : (
      <Hint title={say("no_devices")} how={say("no_devices_how")} />
    );
  }
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
            <th>{say("open_ticket")}</th>
          </tr>
        </thead>
        <tbody>
          {worst_first(items).map((device) => (
            <Row key={device.id} device={device} />
          ))}
        </tbody>
      </table>
      {devices.hasNextPage && (
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
